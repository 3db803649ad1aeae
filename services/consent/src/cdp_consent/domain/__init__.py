"""What may be done with an event, decided from its person's choices. No clock, no I/O, no await.

`places` and `policy` say what holds where, `choices` what one id has chosen, `ledger` how that is proved,
`decision` what follows for one event, `gate` for a batch.
"""
