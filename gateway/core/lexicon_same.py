"""Words that say the same: spellings, short forms, units, close synonyms. The first of each group stands for all.

Tables only; the lists are our own. Only what hardly ever differs in meaning stands here: the rest is measured by word
vectors in the verifier.
"""

from __future__ import annotations

_GROUPS = """
color colour colors colours|center centre centers centres|tire tyre tires tyres|gray grey|check cheque checks cheques|
favorite favourite|program programme programs programmes|license licence|theater theatre|meter metre meters metres m|
kilometer kilometre kilometers kilometres km kms|centimeter centimetre centimeters centimetres cm|
millimeter millimetre millimeters millimetres mm|liter litre liters litres|kilogram kilogramme kilograms kilo kilos kg kgs|
gram grams gramme grammes|lb lbs|ounce ounces oz|inch inches|foot feet ft|mile miles|hour hours hr hrs|minute minutes min mins|
sec secs|week weeks wk|year years yr yrs|gbp pound pounds £ quid|eur euro euros €|usd dollar dollars $ bucks|jpy yen ¥|
percent % percentage|television tv telly|refrigerator fridge|photo photograph image images picture pictures photos photographs pic pics|
information info|application app apps applications|movie film movies films|buy purchase buying purchasing|
phone telephone cellphone smartphone|mobile cell|begin commence|aluminum aluminium|organize organise|organization organisation|
analyze analyse|apologize apologise|authorize authorise|recognize recognise|realize realise|cancel cancelled canceled cancelling canceling|
travel travelled traveled travelling traveling|behavior behaviour|neighbor neighbour|honor honour|labor labour|flavor flavour|
humor humour|harbor harbour|defense defence|offense offence|practice practise|catalog catalogue|dialog dialogue|jewelry jewellery|
pajamas pyjamas|plow plough|skeptical sceptical|airplane aeroplane plane|mom mum mother mommy|dad father daddy|
math maths mathematics|vacation holiday holidays vacations|cab taxi cabs taxis|elevator lift|apartment flat apartments flats|
gas petrol gasoline|trash garbage rubbish|fall autumn|usa us america|uk britain|vs versus|maximum max|
number numeral num nr|capital uppercase|ok okay|hello hi hey|thanks thank|doctor dr|street st|
require need|automobile car cars automobiles|physician doctor|kid child kids children|bike bicycle bikes bicycles|
email e-mail mail mails emails|website site websites sites webpage|laptop notebook|ad advert advertisement|exam examination|
gym gymnasium|lab laboratory|temp temperature|repo repository|dir directory folder directories folders|config configuration|
docs documentation|auth authentication|db database|spec specification|id identifier|admin administrator|approx approximately roughly|
amount quantity|quick fast rapid|big large|small little|wrong incorrect|correct right|start begin|finish complete|
select choose pick|obtain get|assist help|repair fix|error mistake|reply respond answer|ask inquire enquire|
show display|delete erase|allow permit|price cost prices costs|job occupation|company firm business|town city|road street|
lawyer attorney|illness disease sickness|gift present|salary wage|student pupil|teacher instructor|house home|
location place position|sofa couch|shop store shops stores|stop halt|happen occur|often frequently|maybe perhaps|sick ill|
create make|near nearby|whole entire|mad angry|afraid scared|clever smart|quiet silent|difficult hard|
simple easy|sad unhappy|glad happy|rich wealthy|speak talk|look see|shut close|end finish|destroy ruin|
total overall|at_ @|and &|who whom|now currently nowadays|if whether|allowed permitted|forbidden prohibited banned|baby infant newborn|erase wipe|postgres postgresql|golang go|cpp c++|csharp c#|because cuz coz cos|though tho|through thru|night nite|password pw passwd pwd|message msg|package pkg|account acct
|management mgmt|department dept|university univ uni|government govt|hospital hosp|avenue ave|boulevard blvd|international intl
|national natl|average avg|technology tech|video vid|videos vids|conversation convo|birthday bday|christmas xmas|tomorrow tmrw tmr
|yesterday yday|pedestrianised pedestrianized|specialise specialize|prioritise prioritize|customise customize
|personalise personalize|summarise summarize|minimise minimize|maximise maximize|optimise optimize|visualise visualize
|memorise memorize|categorise categorize|initialise initialize|normalise normalize|finalise finalize|modernise modernize
|sterilise sterilize|fertilise fertilize|sanitise sanitize|mould mold|moustache mustache|ageing aging|judgement judgment
|manoeuvre maneuver|paediatric pediatric|anaesthetic anesthetic|orthopaedic orthopedic|diarrhoea diarrhea|oestrogen estrogen
|foetus fetus|tumour tumor|rumour rumor|odour odor|parlour parlor|vapour vapor|armour armor|fibre fiber|lustre luster
|spectre specter|sabre saber|sombre somber|calibre caliber|enrol enroll|fulfil fulfill|instalment installment|skilful skillful
|woollen woolen|cosy cozy|doughnut donut|yoghurt yogurt|omelette omelet|whisky whiskey|january jan|february feb|march mar|april apr|june jun|july jul|august aug|september sep sept|october oct|november nov
|december dec|tuesday tue tues|thursday thu thur thurs|friday fri|chf franc francs|cny yuan rmb renminbi|inr rupee rupees ₹|rub ruble rubles ₽|without lacking
"""


def _same() -> dict[str, str]:
    same: dict[str, str] = {}
    for group in _GROUPS.replace("\n", " ").split("|"):
        first, *others = group.split()
        for word in others:
            same.setdefault(word, first)
    return {word: same.get(first, first) for word, first in same.items()}


SAME: dict[str, str] = _same()

_SHORT = """
r are|n and|b be|w with|da the|min minimum|max maximum|temp temperature|js javascript|ts typescript|py python|k8s kubernetes|
mgr manager|appt appointment|appts appointments|qty quantity|tel telephone|tel phone|ref reference|acc account|
rep representative|sub subscription|subs subscriptions|pref preference|prefs preferences|env environment|dev development|
dev developer|prod production|prod product|govt government|addr address|doc document|docs documents|pres president|gen general|
sat saturday|sun sunday|mon monday|wed wednesday|st saint|mt mount|ft fort|lang language|lib library|func function|var variable|
param parameter|params parameters|arg argument|args arguments|str string|int integer|char character|chars characters|
proc process|perm permission|perms permissions|cert certificate|certs certificates|ver version|vol volume|ch chapter|ch channel|
pg page|pp pages|fig figure|eq equation|sec section|sec security|stats statistics|calc calculate|diff difference|diff different|
intro introduction|misc miscellaneous|poss possible|prob probably|obv obviously|def definitely|esp especially|
incl including|excl excluding|approx approximately|est estimated|est established|orig original|prev previous|temp temporary|
reg registration|reg register|conf confirmation|conf conference|comm communication|biz business|
corp corporation|co company|inc incorporated|assoc association|bros brothers|intl international|nat national|fed federal|
sched schedule|resched reschedule|veg vegetables|veggies vegetables|fave favourite|fave favorite|fav favorite|fav favourite|
sth something|sb somebody|smth something|ppl people|bf boyfriend|gf girlfriend|bc because|bcs because|coz because|
btwn between|b4 before|l8r later|gr8 great|2day today|2nite tonight|2moro tomorrow|thx thanks|pic picture|
bldg building|apt apartment|rm room|flr floor|hwy highway|rd road|
mon month|mons months|wks weeks|yrs years|hrs hours|mth month|mths months
"""


def _short() -> dict[str, tuple[str, ...]]:
    short: dict[str, tuple[str, ...]] = {}
    for row in _SHORT.replace("\n", "").split("|"):
        word, full = row.split()
        short[word] = (*short.get(word, ()), full)
    return short


SHORT: dict[str, tuple[str, ...]] = _short()
"""Short form -> what it may stand for: read so only where the other side writes it out."""

# Words that often say the same, but not in every sentence: aligned, and the alignment counted. A word may be in many.
_ALIKE = """
kind type sort category class style genre|list show give display return print present enumerate provide output tell state|get fetch give provide|
find search locate seek lookup look|turn switch power put|contain include have hold with|having containing including with|precede before prior|
follow after succeed|country nation|course class curriculum subject lecture|detail information data description fact|
different distinct unique separate various|forename name|surname name|id identifier number code|customer client user buyer patron|
staff employee worker personnel|people person individual human|item thing object product article|title name heading|
song track tune music|album record|movie film picture|tv television show series program|book novel title|author writer|
wrote written write author|create make build produce generate set add|creator maker founder|remove delete erase wipe drop eliminate clear uninstall|
change modify alter edit update adjust switch|update upgrade|replace substitute swap exchange|begin start commence initiate launch|
run execute launch perform|launch open start|end finish stop complete conclude|stop quit terminate halt end kill|cancel abort stop|
buy purchase get order|order request|send transfer wire move|transfer move|deposit add put pay|reload topup recharge|withdraw withdrawal take|
card plastic|cash money fund|money fund payment|fee charge cost price rate|charge bill|price cost worth value|value amount|
amount quantity number sum|total overall whole sum|average mean|maximum most highest largest greatest biggest top|minimum least lowest smallest fewest|
most many|large big great huge|small little tiny|high large great|more greater larger higher over above|less fewer smaller lower under below|
above over|below under beneath|quick fast rapid soon|speed pace velocity|happen occur take|problem issue trouble error bug fault difficulty|
broken damaged faulty defective|work function operate|fail break|fix repair solve resolve correct|help assist support aid|
support offer provide serve|available offer offered provide open|offer give provide|allow permit let enable|need require want must|required needed necessary mandatory|
want like wish need|use utilise utilize employ apply using|choose select pick|check verify confirm see inspect|confirm approve validate|
ask request inquire|reply answer respond|say tell mention state|speak talk|know understand learn|explain describe clarify|meaning definition mean|
mean signify stand|word term|difference distinction|compare contrast|way method approach procedure process|step stage|
reason cause why|result outcome|effect impact consequence influence|goal aim purpose objective|place location spot position site|
address location|location where|city town|area region zone district|near close nearby around|distance far|route path way|road street|trip journey travel|
travel go fly|flight plane|hotel accommodation room|arrive reach get land|leave depart go|time hour|date day when|
currently now present today|time long|weather forecast|rain rainy raining|snow snowy snowing|alarm reminder|reminder note|event appointment meeting|
schedule plan arrange calendar agenda|reserve book schedule|reservation booking|mail email message letter|message text sms|phone telephone mobile cell|
call ring phone dial|contact reach|picture photo image|file document|directory folder|folder dir|line row|column field|row record entry|
table sheet|string text|text word|number digit numeral integer|uppercase capital|lowercase small|sign symbol|
server host machine|computer pc machine|program application software tool|software program|website site page webpage|link url|
password passcode pin|login sign|account profile|delete deactivate close|close shut|quit exit close leave|error fault|
child kid son|kid child|mother mom|father dad|spouse partner wife husband|job work position occupation profession|boss manager supervisor|
company business firm organization corporation employer|shop store|restaurant diner place|meal dish food|food cuisine|
recipe directions|cook prepare make|calorie nutrition|doctor physician|hospital clinic|disease illness sickness condition|
medicine drug medication|school college university|university college|student pupil|teacher instructor tutor professor lecturer|
professor prof dr instructor|teach instruct|taught teach|exam test|grade mark score|credit point|player athlete|team club squad|
win victory|won win|game match|car vehicle automobile|vehicle car|truck lorry|gas petrol fuel|tire wheel|house home residence|
apartment flat|live reside dwell|reside live|old aged|age old|birth born|death died die|country state|language tongue|
nationality country|song sing|famous popular|popular common|common frequent usual typical|rare unusual|important essential key major|
main primary chief principal|simple easy|difficult hard tough|correct right|wrong incorrect|possible able can|able can|
funny humorous|joke funny|story tale|begin open|begin first|last final latest recent|recent new latest newest|newest latest recent|
previous past last earlier|next following upcoming coming|every each all|everything all|some several few any|many several lot numerous|
enough sufficient|also too|only just|almost nearly|maybe perhaps|often frequently|again once|quickly fast|sort order rank arrange|
ascending increasing|descending decreasing|group cluster|count number|combine merge join|join connect|connect link attach|split divide separate|
share split|increase raise boost grow up|decrease reduce lower drop cut down|grow increase|shrink reduce|volume loud sound|louder up|quieter down|
light lamp|bright light|music song|play hear listen|listen hear|see view watch look|watch view|read view|show view|
visible shown|hide conceal|permission right access|owner possessor|own possess have|belong own|copy duplicate|move transfer relocate|
rename name|save store keep|store keep|download fetch|fetch get retrieve obtain|retrieve get obtain|receive get obtain|
install setup|configure setup set|setup set|version release|feature function|function method|parameter argument option|
recursive recursively subdirectory|subdirectory subfolder|tree hierarchy|under below within in|within in inside|inside in|through via by|
with using via|between among|about regarding concerning|regarding about|for of|of from|on upon|to for|by through|at in on|during in|
statement bill|bill invoice|balance amount|limit maximum cap|interest rate|loan credit|tax duty|salary income wage pay earnings|
debt loan|bank institution|branch office|identity identification|verify authenticate|refund reimbursement|refund return|reverse revert undo|
declined rejected refused|reject refuse decline|accept take|lost missing|stolen theft|expire expiry expiration|arrive come|delivered delivery deliver|
deliver bring|order purchase|track follow trace|pending processing waiting|wait pending|freeze block lock|block lock|activate enable start|
deactivate disable|crowded busy|traffic congestion|translate translation say|spell spelling|define definition mean|meaning define|
similar alike like|same identical equal|equal same|exactly precisely|approximately about around|total altogether|
percentage share|proportion share|profit gain earnings|sell sale|earn make|spend expense|expense cost spending|cheap inexpensive affordable|expensive costly|
employ hire|hire recruit|dismiss fire|resign quit|retire leave|marry wed|married wed|
film shoot|filmed shot|direct director|director direct|produce producer|publish publisher release|release publish|perform play|star act|actor star|singer vocalist|band group|
inventor creator|discover find|invent create|kill murder|war conflict|army military|president leader|leader head chief|
head chief|king monarch|law rule|rule regulation law|guideline rule|government state|citizen national|election vote|church temple|god deity|besides except beyond|reach contact get|mend repair fix|boot start launch|spouse wife husband partner|gratis free|
salary earnings pay wage earn|duration length last|depth deep|height tall high|weight weigh heavy|width wide broad|length long|age old|cost price charge fee expensive|distance far|speed fast quick|
temperature hot warm cold|population people inhabitant resident live|author write wrote written|inventor invent invented|founder found founded establish established|painter paint painted|composer compose composed|
designer design designed architect|builder build built construct constructed|owner own owned belong|leader lead led|winner win won|creator create created|director direct directed|actor act acted|singer sing sang sung|
publisher publish published|maker make made manufacture manufactured produce produced|seller sell sold vendor|buyer buy bought|teacher teach taught|speaker speak spoke spoken|driver drive drove|killer kill killed|
cause reason|need necessary require requirement|possible can able|allow allowed permit permitted ok okay|accept take|begin start commence kick|end finish conclude stop|vanish disappear|appear show|rise increase climb grow|fall drop decrease decline sink|
repeat again|often frequently regularly|always constantly|rarely seldom|quickly rapidly swiftly|slowly gradually|mostly mainly chiefly|nearly almost|completely entirely fully totally|very extremely highly|
photo picture image shot|sofa couch settee|tap faucet|bin trash garbage rubbish dustbin|biscuit cookie|sweets candy|chips fries|crisps chips|trousers pants|jumper sweater pullover|trainers sneakers|nappy diaper|pram stroller|torch flashlight|
lorry truck|motorway highway freeway|pavement sidewalk|petrol gasoline gas fuel|bonnet hood|boot trunk|windscreen windshield|tyre tire|queue line|timetable schedule|luggage baggage suitcase bag|lift elevator|ground first|
chemist pharmacy drugstore|doctor physician gp|surgery operation|ill sick unwell|painkiller analgesic|tablet pill|headache migraine|stomach belly tummy|baby infant newborn|toddler child|teenager teen adolescent|elderly old senior|
shop store|mall centre|supermarket grocery|bargain deal offer|discount reduction rebate|voucher coupon|receipt bill|parcel package packet|postage shipping|ship deliver send post|courier carrier|delivery shipping shipment|warranty guarantee|
broken damaged defective faulty|swap exchange replace|return refund|complain complaint|customer client|booking reservation|ticket fare pass|seat place|departure leave depart|arrival arrive|delay late delayed|connection transfer|
password passcode credential|username login|signup register registration enrol enroll|subscribe subscription membership|unsubscribe optout|settings preferences options|screen display monitor|keyboard keypad|wifi wireless internet|router modem|
laptop notebook computer pc|printer print|download fetch|upload send|crash freeze hang|slow sluggish|bug glitch defect|update upgrade|install setup|remove uninstall|backup copy|restore recover|folder directory|file document|delete erase remove wipe|
rename name|shell terminal console|command instruction|script program|list enumerate show|search find look grep|match equal fit correspond|contain include have|begin start|pattern regex expression|string text word|recursively recursive subfolder subdirectory|
modified changed edited altered|accessed opened read used|created made generated|owned belonging|larger bigger greater more|smaller less lower|newer later younger|older earlier|size large big|permission mode access right|executable execute run|
row record line entry tuple|column field attribute|table relation|average mean|sum total|count number|maximum max highest largest|minimum min lowest smallest|distinct unique different|sort order|ascending increasing|descending decreasing|
employee staff worker|department division unit|manager boss head supervisor|salary pay wage|customer client buyer|product item article good|supplier vendor provider|invoice bill|order purchase|stock inventory|store shop branch|
student pupil learner|course class subject module lecture|instructor teacher professor lecturer|semester term|exam test|grade mark score|degree diploma|school college|campus university|credit unit point|prerequisite requirement|homework assignment|
country nation state land|city town municipality|capital metropolis|river stream|mountain mount peak|sea ocean|border frontier|citizen national|language tongue|currency money|flag banner|king monarch ruler|president leader|war conflict|battle fight|
movie film picture|series show programme program|episode part|song track tune|album record|band group|singer artist vocalist|musician artist|actor actress star|novel book|poem verse|genre type kind style category sort|game match|team side club|player footballer athlete|
coach trainer|goal score|tournament competition contest cup championship|stadium arena|recipe dish|ingredient component|bake cook roast|boil cook|fry cook|oven stove cooker|fridge refrigerator|pot pan saucepan|spicy hot|tasty delicious|vegetarian veggie meatless|
weather forecast climate|rain shower|umbrella brolly|storm thunderstorm|sunny sun|cloudy overcast|lamp light bulb|thermostat heating heater|curtain blind shade|alarm alert|reminder remind|timer countdown|volume loudness sound|louder loud up|quieter quiet down|
mow cut|trim cut prune|plant grow sow|seed grain|clean wash|vacuum hoover|tidy clean|fix repair mend|leak drip|paint colour|wallpaper paper|rent lease|landlord owner|tenant renter|mortgage loan|insurance cover coverage policy|claim demand|contract agreement|
sign signature|lawyer attorney solicitor|court tribunal|judge magistrate|law statute act|fine penalty|tax duty levy|vote ballot|visa permit|passport id|holiday vacation leave|meeting appointment conference call|agenda schedule|minutes notes|deadline due|
project task|report document|email mail message|attachment file|spam junk|job position post role|apply application|interview meeting|cv resume|hire recruit employ|quit resign leave|retire pension|overtime extra|shift rota|training course|
account profile|balance amount|statement report|withdraw withdrawal|deposit pay|transfer send wire remit|fee charge|interest rate|card plastic|debit bank|credit loan|exchange convert|currency exchange|limit cap maximum|topup recharge reload|identity id|verify verification confirm|
pin code passcode|atm machine cashpoint|payment transaction pay|decline declined reject rejected refuse refused|pending process processing|arrive arrived receive received|lost lose missing|stolen steal theft|block freeze|activate activation enable|contactless tap|top highest best|contain containing include including have has having hold holding with possess possessing|string word term text phrase
"""


def _alike() -> dict[str, frozenset[int]]:
    groups: dict[str, set[int]] = {}
    for number, group in enumerate(_ALIKE.replace("\n", " ").split("|")):
        for word in group.split():
            groups.setdefault(SAME.get(word, word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in groups.items()}


ALIKE: dict[str, frozenset[int]] = _alike()
