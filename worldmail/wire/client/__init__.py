"""A client's conversation about mail, in any protocol: what a driver calls of it, and what its courses say and hear.

A protocol adds a reader of what its servers say (`LineReader`), a channel by which its courses ask and hear
(`ClientChannel`), and a dialogue: `CourseDialogue` for one errand, `WokenDialogue` for errands that come one by one,
`AskedDialogue` for commands that each have an answer and may go ahead of those before.
"""
