"""What a question asks for, by patterns: one table, read from the top; the first line that fits decides."""

from __future__ import annotations

import re

# Narrower questions come first. TURN is validation getting worse; WHICH asks for a point of the training.
_TABLE = r"""
confidence  how (?:sure|certain|confident|likely|probable)|confiden|reliab|\btrust|certain|\bsure\b
confidence  \bbe (?:wrong|mistaken)\b|\bdoubt
findings    how (?:do|did|can|could) you (?:know|tell|see|find)|makes you|\bbasis\b|\bbased on
findings    \bevidence|\bproof|\bprove|\bchecks?\b(?! ?points?)|\bovf\d
remedy      \bfix|\bremed|recommend|suggest|\badvi[cs]e|\bsolve|\bsolution|\bprevent|\bavoid|mitigat
remedy      \bimprov\w* (?:it|this|the|my|on)\b|\btips?\b|\boptions?\b|\bactions?\b|thing about (?:it|this)
best        check ?point|\bweights?\b(?! decay)|\bsnapshot|\bdeploy|\bship\b|early.?stop|\bstop(?:ped|ping)?\b
best        \bbest\b|\bkeep\b|lowest|minim|highest|maxim|optim(?:al|um)|\bpeak
best        how many epochs (?:should|do (?:i|we)|would)
remedy      \b(?:what|how) (?:should|can|could|must|do|to|would)\b(?! (?:it|this|that|the|you)\b)
remedy      \bnext\b|\bhelp\b(?! me)|\b(?:should|shall|can|could|would|do) (?:i|we)\b.*\b(?:add|use|try|train|do\b)
remedy      \b(?:should|shall|can|could|would) (?:i|we|you)\b.*\b(?:change|collect|lower|raise|reduce|increase)
when        \bwhen\b|\bsince\b(?! it)|\bonset\b|how (?:long|early|late|soon)|(?:after|for) how many|first epoch
when        WHICH.*\bTURN|\bstart(?:s|ed|ing)? (?:to|of|getting|going)\b|\bbeg[iau]n
best        (?:which|what) epoch
cause       \bwhy\b|\bcaus|\breason|\bexplain|due to|because of|how come|what made|what(?: is|'s) behind
cause       \btoo (?:small|big|large|few|little|much|high|low|long|many)\b|\bis it (?:the|my|a|an)\b
cause       \bleak|label noise|wrong labels|\bimbalance|distribution shift|learning rate|\bcapacity
warnings    \bwarn|\brepair|\bmended\b|\bmissing\b|\bcomplete\b|data quality|\bnans?\b|\bnot a number\b
gap         \bgap\b|\bdiffer|\baccura|\bloss(?:es)?\b|\bscores?\b|\bmetrics?\b|\bnumbers\b|compar
gap         \b(?:f1|map|iou|auc)\b|how (?:good|bad|large|big|much|well)\b|train(?:ing)? (?:and|vs\.?|versus|to) val
findings    \bfindings?\b|\bdetails?\b|\bsigns?\b|\bissues?\b|what did you (?:find|see|notice)
verdict     over-?fit|under-?fit|unstable|\bstable\b|healthy|verdict|diagnos|\bwrong\b|problem|memori[sz]|generali[sz]e
verdict     \bok(?:ay)?\b|\bgood\b|\bfine\b|converg|summar|\bwell\b|overview|what happened|\bstatus\b
verdict     how (?:is|was|did|does)\b|about (?:this|the|my) (?:run|model|training)
"""
_PARTS = {
    "TURN": r"(?:start|beg[iau]n|turn|diverg|overfit|ris(?:e|es|ing)\b|wors|go(?:es|ing)? up|degrad|memori|drop)",
    "WHICH": r"(?:(?:which|what) (?:epoch|step|stage|point|iteration)|where|from what|from which)\b",
}


def _read(line: str) -> tuple[str, re.Pattern[str]]:
    intent, pattern = line.split(maxsplit=1)
    for name, part in _PARTS.items():
        pattern = pattern.replace(name, part)
    return intent, re.compile(pattern, re.IGNORECASE)


_INTENTS = tuple(map(_read, _TABLE.strip().splitlines()))


def intent_of(question: str) -> str:
    """What is asked: ``when``, ``verdict``, ``best``, ``gap``, ``cause``, ``remedy``, ``confidence``, ``findings``,
    ``warnings`` or ``unknown``.
    """
    return next((name for name, pattern in _INTENTS if pattern.search(question)), "unknown")
