"""Signing in: one way for every protocol.

    a password, a SASL exchange, an APOP digest
        -> who is meant (the directory)
        -> may this address guess now (the throttle)
        -> a twisted.cred Portal with a checker for each kind of credentials
        -> the account, or one and the same refusal, after the same work

`Authentication` is the door (`IAuthentication`); a login verified lately passes it without any of the above.
"""
