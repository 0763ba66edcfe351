"""What is said in several words: courtesies around a question, words of repair, phrases that stand for one word.

Tables only; the lists are our own. `pairs_reading` matches them on canonical words.
"""

from __future__ import annotations

# Said around a question, not part of it. Longest first wins; matched at the head (again and again) or at the tail.
_HEADS = """
team|all|everyone|everybody|folks|sorry to trouble you|hope all is well|i hope all is well|hope you are well|i hope you are well|i hope you are doing well|hope this finds you well|
would you be a dear and|would you be so kind as to|could you be so kind as to|pourriez vous me dire|me podría decir|podría decirme|weet u misschien|kunt u mij vertellen|puoi dirmi|mi sa dire|
by any chance|do you by any chance know|remind me|i was hoping you could tell me|i was just wondering if|i was wondering whether|i am wondering if|i wonder|just asking|one question|a question|a quick question|
i want to|i would like to|i need to|i want you to|i need you to|i would like you to|i am trying to|i am looking to|i would love to|i have to|
help me to|help me|i wish to|i would love it if you could|i need help to|i want help to|i need some help|i need help|it would be great if you could|
please can i ask|tell me please|i just want to|i just need to|i really need to|
there quick question|help me understand|help me find out|i am trying to find out|i want to understand|i would like to understand|i am curious|i am not sure|
i was wondering if you could tell me|i was wondering if|i was just wondering|i was wondering|i am wondering|just wondering|
can you tell me|could you tell me|would you tell me|can you please tell me|could you please tell me|please tell me|tell me|
can you let me know|could you let me know|let me know|please let me know|i would like to know|i would love to know|
i want to know|i need to know|i would like to ask|do you know|do you happen to know|any idea|does anyone know|
quick question|just a quick question|quick question here|one quick question|i have a question|question|can you help me|could you help me|
help me understand|can you explain|could you explain|excuse me|good morning|good afternoon|good evening|hi there|
hello there|hey there|sorry to bother you|if you do not mind|would you mind telling me|may i ask|can i ask|might i ask|
just curious|out of curiosity|dear team|dear support|so|and|well|also|ok so|okay so|now|right|one more thing|
could you please|can you please|would you please|will you please|can you|could you|would you|will you|please can you|
please could you|i would appreciate it if you could|be so kind as to|
kannst du mir sagen|können sie mir sagen|ich möchte wissen|ich wollte fragen|guten tag|guten morgen|
pouvez vous me dire|peux tu me dire|je voudrais savoir|s il vous plaît|s il te plaît|
puedes decirme|podría decirme|quisiera saber|buenos días|por favor
"""
_TAILS = """
many thanks in advance|best regards|kind regards|regards|you know|by any chance|s'il vous plaît|i wonder|i was wondering|thanks everyone|thanks all|tia|best wishes|cordialement|alvast bedankt|bedankt|
thank you|thank you very much|thank you so much|thanks in advance|thank you in advance|many thanks|thanks a lot|
thanks so much|thanks a bunch|for me|if possible|if you can|if you could|if you do not mind|cheers|much appreciated|i appreciate it|
any help is appreciated|any help would be appreciated|any help|any ideas|right|please and thank you|have a nice day|
appreciate it|appreciate your help|thanks for your help|thank you for your help|would you|will you|can you|could you|
vielen dank|danke schön|s il vous plaît|s il te plaît|por favor|muchas gracias|merci beaucoup|merci d avance
"""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.replace("\n", "").split("|"))


HEADS = _phrases(_HEADS)
TAILS = _phrases(_TAILS)

QUOTING = frozenset(
    [
        "say",
        "saying",
        "said",
        "spell",
        "word",
        "words",
        "mean",
        "means",
        "meaning",
        "write",
        "translate",
        "pronounce",
        "call",
        "called",
        "phrase",
    ]
)
"""Where one of these stands, a polite word may be what the question is about, and nothing is left out."""

# Spoken self-correction: what stands before it (and is not said again) was withdrawn.
_REPAIRS = """
no wait|wait no|or rather|i mean|i meant|no i mean|no i meant|no sorry|sorry no|scratch that|make that|no make that|
or wait|actually no|no actually|better yet|or better|or better yet|no rather|excuse me i meant|sorry i meant|
or actually|or no rather|or no|no no|or i mean|i take that back|let me rephrase
"""
REPAIRS = _phrases(_REPAIRS)
HESITATIONS = frozenset(("no", "wait", "rather"))

# Said in several words, read as one. Anywhere in a question; the longest that fits is taken.
_SAID_AS_ONE = """
howmany = how many|number of|what number of|total number of|the number of|the total number of|no of|total no of|amount of|count of|quantity of|what is the number of|what is the total number of|what is the total no of|what is the amount of|what is the count of|what are the number of
howmuch = how much
howlong = how long|what length of time|how much time
howold = how old|what age
howfar = how far|what distance
howoften = how often|how frequently
howto = how do i|how can i|how to|how could i|how should i|how would i|how does one|how do you|how do we|how can we|how can you|how can one|how might i|what is the way to|what is the best way to|is there a way to|is there any way to|what do i do to|what must i do to|what do i need to do to|what do i have to do to|what are the steps to|what is the procedure to|how does one go about|how do i go about|how can i go about|how am i able to|in what way can i|what should i do to|how would one|how should one
when = what year|in what year|which year|in which year|what month|in what month|in which month|what time|at what time|at which time|what date|on what date|on which date|on what day|on which day|at what hour
where = what place|which place|in what place|at what place|in which place|at which place|what location|in what location|at what location|in which location
why = what is the reason|for what reason|how come|what is the reason why|what is the reason that|what are the reasons|what is the cause of|why is it that
30 minute = half hour|half an hour|a half hour
15 minute = quarter hour|quarter of an hour
90 minute = an hour and a half|one and a half hour
howold is = what is the age of
weather = what is the weather like|how is the weather|what is the weather
howmuch = what is the cost of|what is the price of|what is the fee for|what does it cost|how much does it cost
who = what person|which person
atleast = at least|no less than|no fewer than|not less than|not fewer than|or more|or greater|or above|minimum of|a minimum of|at the least
atmost = at most|no more than|no greater than|not more than|or less|or fewer|maximum of|a maximum of|at the most|or below
morethan = more than|greater than|larger than|bigger than|higher than
lessthan = less than|fewer than|smaller than|lower than
before = followed by|prior to|ahead of
after = preceded by|subsequent to
now = right now|at the moment|at present|these days|at this time|at this moment
must = have to|has to|need to|needs to|got to|had better
want = want to|would like to|would love to|wish to|would like|am trying to|am looking to|wanted to
can i = is it possible to|is it possible for me to|am i able to|would it be possible to|may i|could i|will i be able to|is there any possibility to|is there a possibility to|am i allowed to
forename = first name|given name|christian name
surname = last name|family name
birthdate = date of birth|birth date|day of birth
birthplace = place of birth|birth place
find = look up|search for|look for|looking for|searching for
login = log in|log on|sign in|logging in|sign on
logout = log out|log off|sign out|logging out
register = sign up
remove = get rid of
uppercase = upper case
lowercase = lower case
and = as well as|along with|together with|in addition to
to = in order to|so as to
because = due to|because of|owing to|thanks to
near = next to|close to
many = a lot of|lots of|plenty of|a great deal of
some = a few|a couple of|a number of
usa = united states|united states of america|the states
uk = united kingdom|great britain
nyc = new york city
about = in regard to|with regard to|in terms of|with respect to|with reference to
instead = rather than|instead of
email = e mail
wifi = wi fi
topup = top up|topping up|topped up
"""


def _said_as_one() -> dict[str, tuple[str, ...]]:
    return {
        phrase: tuple(one.split())
        for line in _SAID_AS_ONE.strip().splitlines()
        for one, _, said in [line.partition(" = ")]
        for phrase in said.split("|")
    }


SAID_AS_ONE: dict[str, tuple[str, ...]] = _said_as_one()
