"""Mail for sites whose link is not always there: holds, agents, links, and their timetables."""
