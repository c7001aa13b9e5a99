"""Short forms of first names. Pure."""

from __future__ import annotations

from typing import Final

_GROUPS: Final = tuple(
    frozenset(line.split())
    for line in """
    abigail abby gail
    albert al bert
    alexander alex al sandy
    alexandra alex sandra sandy
    alfred al fred
    andrew andy drew
    anthony tony
    barbara barb barbie
    benjamin ben benny
    carol caroline carolyn carrie
    catherine cathy cathie kate katie kathy katherine kathryn kathleen kit kitty
    charles charlie chuck chas
    christine christina chris chrissy tina
    christopher chris
    cynthia cindy
    daniel dan danny
    david dave davy
    deborah deb debbie debra
    donald don donnie
    dorothy dot dottie dolly
    edward ed eddie ned ted
    eleanor ellie nell nellie
    elizabeth liz lizzie beth betty betsy bess eliza libby
    eugene gene
    florence flo
    francis frank fran
    frances fran fanny
    frederick fred freddie rick
    gerald gerry jerry
    gregory greg
    guillermo memo
    harold hal harry
    henry hank harry
    isabel isabella bella izzy
    jacob jake
    james jim jimmy jamie
    janet jan
    jeffrey geoffrey jeff geoff
    jennifer jen jenny
    john jack johnny jon
    jonathan jon
    joseph joe joey jose
    jose pepe
    francisco paco pancho
    judith judy
    kenneth ken kenny
    lawrence laurence larry
    leonard len lenny leo
    louis lewis lou louie
    louise lou
    manuel manny
    margaret maggie marge margie meg peg peggy greta rita
    martha marty patty
    mary mae molly polly
    matthew matt
    michael mike mick mickey
    mildred millie
    nancy nan
    nathan nathaniel nate
    nicholas nick
    pamela pam
    patricia pat patty patsy tricia trish
    patrick pat paddy
    peter pete
    philip phillip phil
    randall randolph randy
    raymond ray
    rebecca becky
    richard dick rich rick ricky
    robert bob bobby rob robbie bert
    ronald ron ronnie
    rosemary rose rosie
    samuel sam sammy
    sarah sara sally sadie
    stephen steven steve
    susan sue susie suzanne
    theodore ted teddy theo
    theresa teresa terry tess
    thomas tom tommy
    timothy tim timmy
    victoria vicky vicki
    virginia ginny ginger
    walter walt wally
    william bill billy will willie liam
    """.strip().splitlines()
)
_FEMININE: Final = frozenset(
    ["a", "e", "ia", "ina", "ine", "etta", "ette", "tta", "tte", "la", "le", "lla", "lle", "elle", "ella", "na"]
)
"""What makes another name of a first name, and not the long form of it: Paul and Paula, Eric and Erica."""


def is_short_form(one_name: str, other: str) -> bool:
    """Whether two first names, in lower case, may be forms of the same one: an initial, a beginning, or a nickname.

    >>> is_short_form("bob", "robert"), is_short_form("dan", "danilo"), is_short_form("h", "harold")
    (True, True, True)
    >>> is_short_form("eric", "erica"), is_short_form("edna", "harold"), is_short_form("jo", "john")
    (False, False, False)
    """
    if any(one_name in group and other in group for group in _GROUPS):
        return True
    short, long = sorted((one_name, other), key=len)
    if not long.startswith(short):
        return False
    return len(short) == 1 or (len(short) > 2 and long[len(short) :] not in _FEMININE)
