"""Large content as objects in a bucket that speaks S3.

A place is an object of 32 random hex digits below a prefix. Octets on their way are spooled to a file without a name, a
part at a time: content that fits one part is one PUT, the rest a multipart upload, so memory stays flat whatever is
sent. Every request is signed over its body (SigV4), so what arrives changed is refused.

    settings     the section [s3]
    credentials  who we are, from a file or the environment
    signing      SigV4, pure
    replies      the XML of replies, bounded, pure
    connection   one request and its reply, in bounded time
    exchange     the same, tried again where that helps
    bucket       the requests of S3 that are used
    spool        the part that is being filled
    owner        one site a prefix
    contents     `IContentStore` and `IPlaceWriter`
    opening      from the settings to all of that

All of it blocks, in threads of its own: signing a part and TLS would hold up the reactor, and the reactor of a command
has no network.
"""
