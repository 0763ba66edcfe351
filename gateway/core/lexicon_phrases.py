"""What is said in several words: courtesies around a question, words of repair, phrases that stand for one word.

Tables only; the lists are our own. `pairs_reading` matches them on canonical words.
"""

from __future__ import annotations

from gateway.core import lexicon_european as european
from gateway.core.folding import fold
from gateway.core.lexicon_same import SAME

# Said around a question, not part of it. Longest first wins; matched at the head (again and again) or at the tail.
_HEADS = """
i am hoping you can tell me|i hope you can help me|i hope you can help|i hope someone can help|hope someone can help|maybe someone can tell me|can someone tell me|could someone tell me|can somebody tell me|
can anyone tell me|could anyone tell me|does anybody know|does someone know|would anyone know|would you know|would you happen to know|do you have any idea|have you any idea|can i just ask|could i ask|could i just ask|
i was hoping to find out|i would be grateful if you could tell me|i would be grateful to know|i would be grateful if you could|i would be happy if you could|i would appreciate it if you told me|
i would appreciate your help with this|i need your help with this|i need help with this|kindly help me with this|please help me with this|help me with this|please help me out|please help|please help me|
please advise me|please advise|kindly advise|kindly tell me|kindly let me know|kindly explain|please explain|please note that|please clarify|could you clarify|can you clarify|
may i trouble you|may i trouble you for a moment|may i bother you|may i know|might i know|may i please know|can i please know|i should like to know|i should like to ask|i have been wondering|i keep wondering|
just to check|just checking|just to be sure|just to confirm|one quick thing|quick one|just a quick one|a quick one|here is my question|my question is|the question is|so my question is|my question|
to whom it may concern|dear sir or madam|dear sir|dear madam|dear all|hi all|hi everyone|hi team|hello everyone|hello everybody|hello all|hello team|good day|sorry|sorry to ask|sorry for asking|sorry for bothering you|
sorry to disturb|pardon me|forgive me|silly question|stupid question|dumb question|maybe a silly question|this may be a silly question|sorry if this is a silly question|right then|but|by the way|btw|fyi|for your information|
long story short|in short|to be honest|tbh|as i said|like i said|speaking of which|before i forget|while i am at it|while you are at it|next question|another question|second question|last question|and another thing|
go ahead and|be a dear and|do me a favour and|do me a favor and|will you|will you kindly|would you kindly|could you kindly|can you kindly|would you mind|i want to ask|i wanted to ask|i wanted to know|i just wanted to know|i just wanted to ask|i just wonder|
i have to know|i really want to know|i really need to know|i was curious|i am interested to know|i am interested in knowing|it would be nice to know|is there anyone who knows|who knows|who can tell me|you know|
entschuldigung|entschuldigen sie|entschuldigen sie bitte|verzeihung|verzeihen sie|ich hätte eine frage|ich habe eine frage|ich hätte gern gewusst|ich wüsste gern|ich würde gern wissen|kurze frage|eine frage|eine kurze frage|guten abend|grüß gott|
können sie mir bitte sagen|könnten sie mir sagen|könnten sie mir bitte sagen|könntest du mir sagen|kannst du mir bitte sagen|wissen sie|weißt du|sagen sie mir|sag mir|sag mal|moin|servus|also|äh|ähm|tja|naja|na ja|liebes team|sehr geehrte damen und herren|
est ce que|est ce qu'il|expliquez moi|explique moi|excusez moi|excuse moi|pardon|désolé|désolée|je voulais savoir|je voulais demander|j'aimerais savoir|j'ai une question|une question|petite question|une petite question|savez vous|sais tu|est ce que vous savez|bonsoir|salut|dites moi|dis moi|pourriez vous m'indiquer|pouvez vous m'indiquer|
pourrais tu me dire|auriez vous l'amabilité de me dire|alors|euh|ben|donc|voilà|madame monsieur|chère équipe|
perdone|perdona|disculpa|perdón|una pregunta|tengo una pregunta|me gustaría saber|quería saber|quería preguntar|queria saber|buenas|buenas tardes|buenas noches|buen día|me puede decir|me puedes decir|me podrías decir|me podrían decir|puede decirme|podrías decirme|podrían decirme|
sabe usted|sabes|sabe|saben|dime|dígame|oye|oiga|pues|bueno|entonces|a ver|estimado equipo|
mi scusi|scusa|scusate|salve|buonasera|buona sera|buon giorno|una domanda|ho una domanda|vorrei sapere|volevo sapere|mi piacerebbe sapere|può dirmi|potrebbe dirmi|potresti dirmi|mi potrebbe dire|mi può dire|mi puoi dire|mi sa dire se|mi saprebbe dire|sa dirmi|sapete|sai|dimmi|mi dica|allora|ehm|beh|dunque|
bom dia|boa tarde|boa noite|olá|oi|uma pergunta|tenho uma pergunta|gostaria de saber|queria perguntar|pode dizer me|poderia dizer me|podia dizer me|você sabe|sabe dizer me|sabe me dizer|pode me dizer|poderia me dizer|me diga|diga me|desculpe|com licença|bem|então|
goedemorgen|goedemiddag|goedenavond|goedendag|hallo|pardon|sorry|neem me niet kwalijk|mag ik vragen|ik heb een vraag|een vraag|vraagje|korte vraag|ik zou graag weten|ik wil graag weten|ik wil weten|ik vroeg me af|kunt u me zeggen|kunt u mij zeggen|kunt u me vertellen|kun je me zeggen|kun je me vertellen|zou u mij kunnen zeggen|
weet u|weet je|weet iemand|nou|
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
puedes decirme|podría decirme|quisiera saber|buenos días|por favor|
i think that|i think|i believe that|i believe|i guess|i suppose|i noticed that|i noticed|i just noticed that|i just noticed|i have noticed that|i have noticed|i see that|i saw that|i realised that|i realized that|i found out that|
it seems that|it seems like|it seems as if|it seems|seems that|seems like|seems|it looks like|it looks as if|looks like|it appears that|it appears|it would appear that|apparently|i am afraid that|i have heard about|i heard about|i have heard of|i have heard that|i heard that|i have read that|i read that|
i am confused about|i am confused|
i need help with|i need some help with|need help with|i want help with|i would like help with|can you help me with|could you help me with|can you help with|help me with|help with|i need assistance with|i need your help to|i need your help|explain|explain to me|i am hoping to|i was hoping to|when you have a moment|when you have time|when you have a minute|when you get a chance|if you have a moment|if you have time|if you have a minute|if it is not too much trouble|only if it is not too much trouble|if it is not too much to ask|if you would not mind|if possible|whenever you can|i got a message that|i got a message saying that|i got a message saying|i got an error that|i received a message that|it says that|it says|it is saying that|it is telling me that|i need more help with|i need further help with|i am planning to|i plan to|i intend to|i am wanting to|i am needing to|i am going to need to
"""
_TAILS = """
thanking you|thanking you in advance|yours|yours faithfully|yours sincerely|yours truly|sincerely|all the best|take care|have a good day|have a great day|have a good one|have a nice evening|have a good evening|
lol|haha|ty|thx|tysm|pls|plz|please|please help|please advise|help please|help me please|please help me|any advice|any advice is appreciated|any advice would be appreciated|any assistance is appreciated|any assist is appreciated|any tips|
any suggestions|i am stuck|i am lost|i have no idea|no idea|i can not find it|i do not know|just curious|just wondering|asking for a friend|out of curiosity|quick question|if that is ok|if that is okay|if that is all right|if it is not too much trouble|if i may ask|
if you know|if anyone knows|if you please|would you mind|would you know|do you know|does anyone know|can you tell me|could you tell me|can you help|could you help|can you help me|could you help me|can anyone help|in a hurry|it is urgent|this is urgent|urgent|
btw|or what|or something|you see|i guess|i suppose|anyway|though|sir|madam|bye|see you|thank you so much in advance|many thanks for your help|thank you for your time|thanks for your time|
thank you in anticipation|appreciated|greatly appreciated|very much appreciated|would be appreciated|i would be grateful|i would appreciate it|i would be very grateful|very kind of you|that would be great|that would be nice|that would be helpful|that is all|
danke im voraus|vielen dank im voraus|besten dank|herzlichen dank|danke sehr|vielen lieben dank|mit freundlichen grüßen|viele grüße|liebe grüße|
merci beaucoup d'avance|merci par avance|merci bien|bonne journée|bien cordialement|bonne soirée|s'il te plaît|svp|
gracias de antemano|muchísimas gracias|mil gracias|un saludo|saludos|gracias por adelantado|
grazie mille|grazie in anticipo|molte grazie|cordiali saluti|per favore|per piacere|per cortesia|saluti|
muito obrigado|muito obrigada|obrigada|obrigado desde já|desde já obrigado|se faz favor|cumprimentos|
alvast hartelijk dank|hartelijk dank|dank u|dank u wel|dank je|dank je wel|bij voorbaat dank|met vriendelijke groet|groeten|alstublieft|alsjeblieft|
many thanks in advance|best regards|kind regards|regards|you know|by any chance|s'il vous plaît|i wonder|i was wondering|thanks everyone|thanks all|tia|best wishes|cordialement|alvast bedankt|bedankt|
thank you|thank you very much|thank you so much|thanks in advance|thank you in advance|many thanks|thanks a lot|
thanks so much|thanks a bunch|for me|if possible|if you can|if you could|if you do not mind|cheers|much appreciated|i appreciate it|
any help is appreciated|any help would be appreciated|any help|any ideas|right|please and thank you|have a nice day|
appreciate it|appreciate your help|thanks for your help|thank you for your help|would you|will you|can you|could you|
vielen dank|danke schön|s il vous plaît|s il te plaît|por favor|muchas gracias|merci beaucoup|merci d avance|
is that right|is that correct|is that true|am i right|if you know what i mean|if that makes sense|i need help|i need some help|i need assistance|help|please assist|can you assist|could you assist|can someone help|can someone help me|can anyone help me|or not|
oder nicht|nicht wahr|oder|n est ce pas|toch
"""


# Words of repair of which nothing stands before them but a courtesy that was broken off.
_REPAIRED = """
no wait|wait no|or rather|i mean|i meant|no i mean|no i meant|no sorry|sorry no|scratch that|or wait|no rather|sorry i meant|excuse me i meant|i take that back|let me rephrase
"""
_AROUND_LONG_ONES = """
when you have a moment|when you have time|when you have a minute|when you get a chance|whenever you have a moment|if you have a moment|if you have time|if you get a chance|if it is not too much trouble|
only if it is not too much trouble|if it is no trouble|if that is not too much trouble|if that is ok|if i may ask|if you do not mind me asking|if that is possible|if at all possible|
i was wondering whether someone|i was wondering whether somebody|i was just wondering whether|i was just wondering whether someone here could|i was just wondering whether somebody here could|i was wondering if someone could|i was wondering if somebody could|
i was wondering whether someone could|i was wondering whether somebody could|be so kind and|be so good as to|be so good and|so kind as to|could somebody please|could someone please|can someone please|can somebody please|
could you please explain|can you please explain|would you please explain|could you kindly explain|can you kindly explain|namely|namely whether|namely if|that is to say|i would really like to know|i would really like to understand|i really would like to know|it would be great to know|it would be good to know|it would help me to know|
i would be very grateful if you could|i would be glad if you could|i would be pleased if you could|it would be very kind if you could|it would be nice if you could|it would be helpful if you could|i would be very happy if you could|
here it is|here it goes|here goes|here is the thing|the thing is|thing is
"""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrase for phrase in fold(text).replace("\n", "").split("|") if phrase))


HEADS = _phrases(_HEADS) + _phrases(_REPAIRED) + _phrases(_AROUND_LONG_ONES) + european.HEADS
TAILS = _phrases(_TAILS) + european.TAILS

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
REPAIRS = _phrases(_REPAIRS) + european.REPAIRS
HESITATIONS = frozenset(("no", "wait", "rather", "sorry")) | european.HESITATIONS

SPOKEN = (
    *(
        "you know",
        "you see",
        "like",
        "well",
        "i guess",
        "so yeah",
        "yeah",
        "sort of",
        "kind of",
        "sagen wir",
        "also",
        "halt",
    ),
    *("naja", "bon", "ben", "enfin", "voila", "disons", "bueno", "pues", "vale", "o sea", "cioe", "insomma", "diciamo"),
    *("ehm", "bem", "pois", "quer dizer", "nou", "zeg maar", "hum", "eh", "euh", "eeh", "aeh", "aehm"),
)
"""Said to win time, and parted by a comma from what follows: "a ticket to, like, Rome"."""

# Said in several words, read as one. Anywhere in a question; the longest that fits is taken.
_SAID_AS_ONE = """
without = w / o
with = w /
howmany = how many|number of|what number of|total number of|the number of|the total number of|no of|total no of|amount of|count of|quantity of|what is the number of|what is the total number of|what is the total no of|what is the amount of|what is the count of|what are the number of
howmuch = how much|what is the cost of|what is the price of|what is the fee for|what does it cost|how much does it cost|what do you charge for|what is the charge for|what would it cost|what does it cost to|how much is it to|what price is|at what price
howlong = how long|what length of time|how much time|what is the duration of|what is the length of time|for how long|for what length of time
howold = how old|what age
howfar = how far|what distance|what is the distance|how far away
howoften = how often|how frequently|with what frequency
howto = how do i|how can i|how to|how could i|how should i|how would i|how does one|how do you|how do we|how can we|how can you|how can one|how might i|what is the way to|what is the best way to|is there a way to|is there any way to|what do i do to|what must i do to|what do i need to do to|what do i have to do to|what are the steps to|what is the procedure to|how does one go about|how do i go about|how can i go about|how am i able to|in what way can i|what should i do to|how would one|how should one|how does someone|how shall i|how shall we|what are the steps for|the steps to|steps to|the way to|the best way to|what is the procedure for|what is the process for|what is the process to|the procedure for|what is the correct way to|what is the right way to|what is the easiest way to|what is an easy way to|what is the proper way to|what is a good way to|what would be the best way to|what is the method to|what is the method for|what is the best way of|what is the way of|instructions for|instructions to|instructions on|instructions on how to|tell me how to|show me how to|explain how to|teach me how to|the right way to|the easiest way to|what do you do to|what does one do to|is there some way to|is there any way of|is there a way of|are there any ways to|what steps do i take to|what steps should i take to|which steps are needed to
when = what year|in what year|which year|in which year|what month|in what month|in which month|what time|at what time|at which time|what date|on what date|on which date|on what day|on which day|at what hour|until when|by when|from when|what time of day|what day|on which day of the week|what hour|which hour
where = what place|which place|in what place|at what place|in which place|at which place|what location|in what location|at what location|in which location|in what country|in which country|in what city|in which city|at which location|on which site
why = what is the reason|for what reason|how come|what is the reason why|what is the reason that|what are the reasons|what is the cause of|why is it that|what is the reason for|what is the reason behind|on what grounds|due to what|how is it that|what caused|what causes
30 minute = half hour|half an hour|a half hour
15 minute = quarter hour|quarter of an hour
90 minute = an hour and a half|one and a half hour
howold is = what is the age of
weather = what is the weather like|how is the weather|what is the weather
who = what person|which person|what people|which people|what individual|which individual|which one person
atleast = at least|no less than|no fewer than|not less than|not fewer than|or more|or greater|or above|minimum of|a minimum of|at the least
atmost = at most|no more than|no greater than|not more than|or less|or fewer|maximum of|a maximum of|at the most|or below
morethan = more than|greater than|larger than|bigger than|higher than
lessthan = less than|fewer than|smaller than|lower than
before = followed by|prior to|ahead of|coming before|that comes before|which comes before|occurring before|that precedes|which precedes
after = preceded by|subsequent to|coming after|that comes after|which comes after|occurring after|that follows|which follows
now = right now|at the moment|at present|these days|at this time|at this moment
must = have to|has to|need to|needs to|got to|had better|am required to|am obliged to|do i have to|is it necessary to|is it required to|is it obligatory to|is it mandatory to
want = want to|would like to|would love to|wish to|would like|am trying to|am looking to|wanted to|am hoping to|am planning to|feel like|am keen to|am about to
can i = is it possible to|is it possible for me to|am i able to|would it be possible to|may i|could i|will i be able to|is there any possibility to|is there a possibility to|am i allowed to|is it ok to|is it okay to|is it ok if i|is it okay if i|is it all right to|is it alright to|is it fine to|is it allowed to|is it permitted to|am i permitted to|are we allowed to|is one allowed to|would i be able to|will it be possible to|is it feasible to|am i free to|do i have the option to|is there an option to|is there the option to|is it an option to|is there any chance to|is there a chance to
forename = first name|given name|christian name
surname = last name|family name
forename and surname = first and last name|first and family name|given and family name|given name and last name
birthdate = date of birth|birth date|day of birth
birthplace = place of birth|birth place
find = look up|search for|look for|looking for|searching for|track down|hunt for|hunt down
login = log in|log on|sign in|logging in|sign on
logout = log out|log off|sign out|logging out
register = sign up
remove = get rid of|take out|take away|throw away|throw out|do away with
capital = upper case|capital letter|uppercase letter|upper case letter
lowercase = lower case|lower case letter|lowercase letter|small letter
and = as well as|along with|together with|in addition to
to = in order to|so as to
because = due to|because of|owing to|thanks to
near = next to|close to
many = a lot of|lots of|plenty of|a great deal of
some = a few|a couple of|a number of
usa = united states|united states of america|the states
uk = united kingdom|great britain
nyc = new york city
about = in regard to|with regard to|in terms of|with respect to|with reference to|as regards|in relation to
instead = rather than|instead of
email = e mail
wifi = wi fi
topup = top up|topping up|topped up
can not = am unable to|is unable to|are unable to|am not able to|is not able to|are not able to|was not able to|have been unable to
forgot = can not remember|do not remember|have forgotten|no longer remember|can not recall
show = bring up|pull up|print out|read out|display to me|let me see|i want to see|i would like to see|let me have|give me|provide me with|present me with|show me|i am looking for|i need a list of|give a list of|make a list of
contact = get in touch with|get hold of|reach out to
cancel = call off
postpone = put off|push back
collect = pick up
return = bring back|take back|give back|send back
fill = fill in|fill out
happen = take place
differ = is different from|are different from|be different from
besides = apart from|aside from
during = in the course of
daily = every day|each day|per day|a day
weekly = every week|each week|per week|a week|once a week
monthly = every month|each month|per month|a month|once a month
yearly = every year|each year|per year|a year|once a year|per annum
overnight = over night
must i = am i obliged to|am i required to|am i forced to|am i bound to
which = which of the two|which one of the two|which one|which of them|which of these|which of those|what of the two|which of both
howto = how i can|how i could|how i may|how we can|how one can|how you can|how to best|how best to|how exactly do i|how exactly can i|how exactly should i|how exactly does one|how exactly do you|how do i actually|how can i actually|how do i properly|how exactly to
q 1 = first quarter|1 quarter
q 2 = second quarter|2 quarter
q 3 = third quarter|3 quarter
q 4 = fourth quarter|last quarter
celsius = degree celsius|° c|degree c|° celsius
fahrenheit = degree fahrenheit|° f|degree f|° fahrenheit
nearby = close by|around here|near me|near here|in my area|in the area
available = on offer|in stock
all = all of|all of the
without = with no|not with|not having|not containing|not including|having no|containing no|that lack|that lacks|that have no|that has no|which have no|which has no|that do not contain|that does not contain|which do not contain|which does not contain|that do not include|that does not include
which = which of the two|which one of the two|which one|which of them|which of these
but without = but no|but with no|but not with
howfar between = how far apart are|how far apart is|distance between
day ago = day back
week ago = week back
month ago = month back
year ago = year back
hour ago = hour back
minute ago = minute back
named = with name|with the name|by the name|by the name of|having the name|whose name is
than = compared to|compared with|in comparison to|in comparison with|when comparing to|when compared to|when compared with
with = in which there is|in which there are|where there is|where there are
howto = how exactly do i|how exactly can i|how exactly to|how exactly does one|what steps do i have to go through in order to|what steps do i need to go through to|what steps do i need to go through in order to|what steps do i need to take in order to|what steps do i need to take to|what steps i need to take to|what steps must i take to|what steps do i have to take to|what steps do i need to do to|what steps do i have to go through to|what are the steps in order to|what are the steps involved in|what i need to do to|what i have to do to|what i must do to|what i should do to|what i can do to|what do i need to do in order to|what do i have to do in order to|what should i do in order to|what must i do in order to|what do i do in order to|how i can|how i could|how i do|how i should|how i might|how i would|how one can|how you can|how we can|how it is possible to|how is it possible to|how would i be able to|how will i be able to|how can someone|how would someone|how do people|how would you|how am i supposed to|how may i|how to go about|how would i go about|how should i go about|how would i go about it if i wanted to|how do i go about it if i want to|how would i go about it if i want to|in what way do i|in what way could i|in which way can i|in which way do i|by what means can i|in what ways can i|what ways are there to|what ways can i|what is a way to|what would be a way to|what would be the way to|what is the simplest way to|what is the fastest way to|what is the process of|what is the process by which i|what process do i follow to|the process for|the process to|the procedure to|the steps for|the steps involved in|is there a method to|is there some way i can|is there a way i can|is there any way i can|is there a way for me to|is there any way for me to|is there a way that i can|show how to|explain how i can|explain how i could|guide me on how to|guide me through
where can i = where do i|where could i|where would i|where might i|where can one|where does one|where do we|where can we|where do i go to|where can i go to|where could i go to|where do i need to go to|where do i have to go to|where would i go to|where to|where do i go if i want to|where do i go in order to|where i can|where i could
must = do i need to|will i need to|will i have to|would i need to|would i have to|must i|is it really necessary to|is it necessary for me to|is it necessary that i|is it needed to|is it compulsory to|is there a need to|is there any need to|will i be required to|would i be required to|am i going to have to|am i going to need to|is it a must to|is it essential to
must we = do we need to|do we have to|are we required to|must we|will we need to|will we have to
what do i must = what do i need to|what will i need to|what would i need to
do you must = do you have to|do you need to
can i = do you let me|do you allow me to|will you let me|would you let me|are you able to let me|is it permissible to|is it permissible for me to|would it be ok to|would it be okay to|would it be all right to|would it be ok if i|would it be okay if i|would i be allowed to|will i be allowed to|is there a way that i can|is it possible that i|is it possible i|am i eligible to|do i get to
can not i = am i not able to|am i unable to|can i not|could i not|am i not allowed to|is it not possible to|is it not possible for me to|will it not let me|does it not let me
can not = does not let me|do not let me|is not letting me|will not let me|did not let me|would not let me|is not allowing me to|does not allow me to|will not allow me to|can not seem to|do not seem to be able to
can you = could you
howmuch = how much it costs|how much that costs|what it costs|how much it would cost|how much it will cost|what is the cost for|what is the fee to|what are the fees for|what are the costs of|what are the costs for|what are the charges for|how much do you charge for|how much is the fee for|how much will it cost to|how much would it cost to|how much does it cost to|how much does it cost for|how much will it cost for|how much would it cost for|what will it cost to|what would it cost to
is there a fee for = is there a charge for|do you charge for|do you charge a fee for|will i be charged for|am i charged for|do i get charged for|are there fees for|are there charges for|is there any fee for|is there any charge for|will there be a fee for|will there be a charge for|are there any fees for|are there any charges for
is there a fee to = is there a charge to|do you charge to|do you charge a fee to|will i be charged to|are there fees to|are there charges to|is there any fee to|is there any charge to|will there be a fee to|will there be a charge to
any = any kind of|any type of|any sort of
some = some kind of|some sort of|some type of
will be = is going to be|are going to be|am going to be
if = whether or not
not = is it false that|it is false that|is it untrue that|ist es falsch dass|est il faux que|est ce faux que|es falso que|è falso che|é falso que
is there = do you have|have you got|do you offer|do you provide|are there|does there exist|do there exist|is there such a thing as|is there such thing as|will there be|would there be|are there going to be|is there going to be|do you happen to have
why = what is the need to|what is the need for|what is the necessity of|what is the point of|what is the sense of|what is the reason as to why|the reason why|the reason as to why|a reason why|a reason as to why|as to why|is there a reason why|is there a reason that|is there a reason|is there any reason why|is there any reason|what could be the reason that|what could be the reason why|what might be the reason that|what may be the reason that|what would cause|what could cause|how can it be that
because = given that|seeing that|for the reason that
anymore = any longer
now = as of now|as of right now|as of today
when can i expect = when should i expect|when do i expect|when may i expect|when could i expect
"""


_SAID_FOR_NOTHING = """
is it true that|is it correct that|is it right that|is it the case that|it is true that|stimmt es dass|ist es wahr dass|ist es richtig dass|
est il vrai que|est ce vrai que|c est vrai que|es cierto que|es verdad que|è vero che|é verdade que|é certo que|klopt het dat|is het waar dat|
yes or no|true or false|ja oder nein|oui ou non|sí o no|sì o no|sim ou não|ja of nee
"""
"""What makes a question of a statement, and adds nothing to one."""

SAID_AS_ONE: dict[str, tuple[str, ...]] = {
    **european.said_as_one(_SAID_AS_ONE),
    **european.SAID_AS_ONE,
    **dict.fromkeys(_phrases(_SAID_FOR_NOTHING), ()),
}

_CHATTER = """
ask asking asked question help helping helped assist assistance support advice advise know knew known understand
understood tell told explain find found look looked looking search searched read reading answer answered respond
reply try tried trying think thought thinking wonder wondering wondered hope hoping guess feel sure idea clue
appreciate appreciated grateful thankful glad happy sorry apologise apologize apology pardon bother trouble disturb
excuse patience advance attention team everybody anybody friend folk guy dear sir madam greeting regard wish best
nice great good bad silly stupid dumb basic simple easy quick short long little bit lot time day week month year
hour minute moment morning afternoon evening night yesterday today recently lately ago while since already page
site website forum internet google web place right wrong way thing stuff something anything everything matter point
case problem issue story background context detail information new newbie beginner first please thanks thank cheers
luck lost stuck confused desperate frustrated annoyed annoying worried curious interested important urgent quickly
soon fast come came go went get got make made say said mean want need like love really very much many seem happen
going wife husband son daughter mother father mum mom dad boss colleague neighbour neighbor kid child family sister
brother partner call called phone phoned hold wait waiting waited faq manual documentation back here there hello
hilfe frage danke dank voraus schnell antwort suche gesucht gefunden überall stunde lange zeit ahnung freuen aide
merci avance réponse rapide cherche depuis content vraiment partout trouver ayuda pregunta gracias antemano
respuesta busco buscado encontrar tiempo rato aiuto domanda grazie anticipo risposta cercato trovare ovunque tempo
ajuda pergunta obrigado antecipadamente resposta procurei lado hulp vraag bedankt voorbaat antwoord gezocht
gevonden overal tijd
probably possibly surely certainly now apparently obviously unfortunately hopefully further certain properly correctly exactly somewhere anywhere everywhere nowhere able still ever since chance favour favor
"""
_SAID = (*fold(_CHATTER).split(), *european.CHATTER)
CHATTER = frozenset((*_SAID, *(SAME.get(word, word) for word in _SAID), *(word.removesuffix("s") for word in _SAID)))
"""Words of what is said around a question: by themselves they change no answer."""

_COURTEOUS = """
ask asking asked question help helped helping assist advice advise know knew understand understood tell told explain find
found look looked looking search searched searching answer answered reply respond response try tried trying think
thinking thought wonder wondering hope hoping sure certain appreciate appreciated grateful thankful glad happy pleased
sorry apologise apologize apology pardon bother trouble disturb excuse patience advance thank wait waiting waited
hoffe richtig gesucht gefunden suche antwort frage hilfe dank danke freuen
espere endroit cherche trouver reponse content aide merci espero buscado buscando encuentro encontrar respuesta alegraria ayuda
spero cercato cerco trovare trovato risposta contento aiuto espero procuro procurei encontrar resposta contente ajuda
hoop gezocht gevonden zoek antwoord blij hulp
"""
_EMPTY = """
want need like love get go come have give take make seem happen mean nice great good bad kind silly stupid dumb basic
simple easy quick quickly fast short soon long little bit lot while time moment minute already lately recently far around
here there place right wrong everywhere anywhere somewhere page forum internet faq manual documentation further thing
properly correctly exactly probably possibly certainly now matter urgent urgently stuck lost confused curious important able
still since ever just today morning day hour colleague friend everybody dear team
"""
_SAID_SO = (*_COURTEOUS.split(), *european.CHATTER)
COURTEOUS = frozenset(
    (*_SAID_SO, *(SAME.get(word, word) for word in _SAID_SO), *(word.removesuffix("s") for word in _SAID_SO))
)
"""Words of courtesies: two of them, and a sentence in which nothing else tells anything is one."""
EMPTY = frozenset((*_EMPTY.split(), *(SAME.get(word, word) for word in _EMPTY.split())))
