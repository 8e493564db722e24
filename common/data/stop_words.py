"""English function words, as the tokeniser cuts them: what --drop-stop-words leaves out.

Negations (not, n't, no, never) stay in: they turn a sentiment round.
"""

STOP_WORDS = frozenset("""
    a an the this that these those
    i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself
    she her hers herself it its itself they them their theirs themselves
    who whom whose which what there here
    am is are was were be been being 'm 's 're do does did doing have has had having 've 'd 'll
    can could may might must shall should will would ca wo
    and or but if because as while than so then when where why how
    of at by for with about against between into through during before after above below to from
    up down in out on off over under again further once
    all any both each few more most other some such only own same too very just also
""".split())
