"""Mail on its way out: where it goes, when it is tried, and what becomes of it.

Where it goes: `routes` chooses by recipient and sender, `exchangers` turns the route into hosts. Both are pure;
`current_routes` keeps the table as the database has it, `route_admin` changes it.
"""
