"""Word lists of the redaction: what may be a person's name, what only looks like one."""

from __future__ import annotations

#: Given names, so that a stranger's full name is told from a product's.
GIVEN_NAMES = frozenset(
    "aaron abigail adam ahmed aisha alan albert alejandro alex alexander alexandra ali alice alicia amanda amelia "
    "amir amy ana anders andrea andreas andrew angela anita ann anna anne anthony antonio aria ava barbara benjamin "
    "bernard beth betty brandon brenda brian bruno carl carla carlos carmen carol caroline catherine charles "
    "charlotte chen chloe chris christian christina christine christopher claire clara claudia cynthia daniel daniela "
    "david deborah dennis diana diego dmitri donald donna dorothy edward elena elias elizabeth ella emily emma eric "
    "erik ethan eva evan evelyn fatima felix fernando fiona francesca francis francisco gabriel gary george gloria "
    "gregory hana hannah harper harry hassan heather helen henry hiroshi hugo ian ibrahim ingrid irene isabel "
    "isabella isabelle ivan jacob jakub james jamie jan jane janet jason javier jean jennifer jeremy jessica joan "
    "joao johan john jonas jonathan jorge jose joseph joshua juan judith julia julian julie karen karl katarzyna kate "
    "katherine kathleen kelly kenneth kevin kim kyle lars laura lauren lea leo liam linda lisa lucas lucia luis luisa "
    "lukas luke madison marco margaret maria mariam marie marina mario marta martha martin mary mateo matthew maya "
    "megan mei melissa mia michael michelle miguel mohamed mohammed monica nadia nancy natalie natasha nathan "
    "nicholas nicole nina noah nora olga oliver olivia omar pamela patricia patrick paul paula pedro peter philip "
    "pierre priya rachel rafael rahul raj ralph ravi raymond rebecca ricardo richard robert roberto roger ronald "
    "russell ruth ryan samantha samuel sandra sara sarah scott sean sebastian sergio sharon shirley simon sofia "
    "sophia sophie stefan stephanie stephen steven susan sven tamara teresa theresa thomas timothy tomas tyler "
    "valentina vanessa victor victoria vincent virginia walter wei william yara yuki yusuf zoe".split()
)

#: Words with a capital that may follow "I'm" or "Hi" and are no names.
NO_NAMES = frozenset(
    "a agent all also american amex an angry april are at august back bot can christmas could customer december did "
    "do does english everybody everyone february fine folks french friday from german good great guys happy having "
    "hello here hey hi how in is italian item items january july june just looking madam march mastercard may monday "
    "no not november october ok okay on order orders paypal please sad saturday september service shopbot sir so "
    "sorry spanish still sunday support team thank thanks that's the there thursday trying tuesday very visa waiting "
    "was wednesday were what what's when where why will would yes".split()
)

#: Names and cities that are words as well: alone they count only with a capital inside a sentence.
EVERYDAY_WORDS = frozenset(
    "amber april art august autumn baker ball banks bath bell best bill bird bishop black blue box brown bush card "
    "carter case cash chance chase church cook cross daisy dark day dean drew faith field fields fish fox frank gold "
    "grace grant gray green grey hill hope hunter independence iris item ivy jack joy june king knight lane large lee "
    "light lily little long love major mark mason may mobile nice nick olive orange order page park parks pat pearl "
    "penny phoenix pink price ray reading red return rich rivers rob rose ruby short silver sky small star stone sue "
    "summer swan sweet violet week white will wolf wood woods young".split()
)
