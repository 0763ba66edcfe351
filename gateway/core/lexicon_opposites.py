"""Words that exclude each other: opposites in pairs, and families of which one member is not another.

Tables only; the lists are our own. A family need not be complete: a word that is missing still counts as content that the
other question does not have, only less sharply.
"""

from __future__ import annotations

from gateway.core.folding import fold
from gateway.core.lexicon_same import SAME

_OPPOSITES = """
on off|up down|still already|only also|this next|this last|if unless|unless when|when before|when after|because although|because despite|because unless|always sometimes|inflation deflation|
in out|into from|to from|before after|above below|over under|inside outside|with without|for against|
open close|open shut|opened closed|opening closing|start stop|start end|begin end|begin finish|start finish|first last|enable disable|
enabled disabled|activate deactivate|connect disconnect|install uninstall|subscribe unsubscribe|lock unlock|log unlog|block unblock|
mount unmount|zip unzip|load unload|pack unpack|follow unfollow|mute unmute|hide show|hide unhide|hidden visible|visible invisible|
increase decrease|increase reduce|raise lower|raise cut|rise fall|grow shrink|gain lose|win lose|add remove|add delete|add subtract|
create delete|create destroy|insert delete|insert remove|attach detach|append remove|include exclude|including excluding|accept reject|
accept decline|accept refuse|approve reject|approve deny|allow forbid|allow deny|allow block|allow prevent|permit forbid|grant revoke|
give take|send receive|buy sell|bought sold|purchase sell|lend borrow|rent own|deposit withdraw|deposit withdrawal|credit debit|
push pull|upload download|import export|encrypt decrypt|encode decode|compress decompress|compress extract|read write|sync unsync|
arrive depart|arrive leave|arrival departure|arriving departing|come go|enter exit|enter leave|join leave|login logout|check uncheck|
sign unsign|register unregister|early late|earlier later|earliest latest|soon late|before since|old new|older newer|oldest newest|
young old|younger older|youngest oldest|big small|bigger smaller|biggest smallest|large small|larger smaller|largest smallest|
huge tiny|long short|longer shorter|longest shortest|high low|higher lower|highest lowest|tall short|taller shorter|tallest shortest|
wide narrow|wider narrower|deep shallow|thick thin|heavy light|heavier lighter|heaviest lightest|fast slow|faster slower|
fastest slowest|quick slow|quickly slowly|hot cold|hotter colder|hottest coldest|warm cool|warmer cooler|heat cool|heating cooling|
wet dry|good bad|better worse|best worst|right wrong|right left|correct incorrect|true false|valid invalid|legal illegal|safe dangerous|
safe unsafe|secure insecure|cheap expensive|cheaper dearer|cheapest dearest|cheapest expensive|free paid|free busy|easy hard|
easy difficult|easier harder|simple complex|simple complicated|strong weak|stronger weaker|hard soft|rich poor|full empty|fill empty|
clean dirty|light dark|lighter darker|bright dark|bright dim|brighter darker|brighten dim|loud quiet|louder quieter|healthy unhealthy|
happy sad|like dislike|love hate|likes hates|agree disagree|trust distrust|possible impossible|able unable|available unavailable|
known unknown|usual unusual|common rare|normal abnormal|public private|internal external|inner outer|interior exterior|domestic
international|domestic foreign|local remote|local global|national international|online offline|indoor outdoor|indoors outdoors|
upper lower|top bottom|front back|forward backward|forwards backwards|north south|east west|northern southern|eastern western|
male female|man woman|men women|boy girl|boys girls|father mother|son daughter|brother sister|husband wife|king queen|uncle aunt|
grandfather grandmother|nephew niece|mr mrs|adult child|adults children|parent child|employer employee|teacher student|doctor patient|
buyer seller|sender recipient|sender receiver|lender borrower|landlord tenant|host guest|client server|input output|source target|
source destination|origin destination|minimum maximum|min max|least most|less more|fewer more|few many|all none|always never|
everything nothing|everyone nobody|every no|some none|both neither|often rarely|frequently rarely|regular irregular|
permanent temporary|temporarily permanently|fixed variable|manual automatic|manually automatically|single multiple|single married|
single double|singular plural|one-way return|return single|oneway roundtrip|breakfast dinner|lunch dinner|day night|morning evening|
am pm|sunrise sunset|today tomorrow|today yesterday|tomorrow yesterday|past future|previous next|last next|ancient modern|live dead|
alive dead|born died|birth death|birthday deathday|begin stop|continue stop|resume pause|play pause|play stop|wake sleep|remember forget|
succeed fail|success failure|pass fail|passed failed|profit loss|income expense|asset liability|debt credit|supply demand|import
exported|cause effect|question answer|problem solution|winner loser|attack defend|offense defense|victory defeat|war peace|ally enemy|
friend enemy|positive negative|plus minus|add minus|multiply divide|numerator denominator|odd even|ascending descending|asc desc|
ascend descend|increasing decreasing|horizontal vertical|horizontally vertically|row column|rows columns|width height|length width|
length height|latitude longitude|clockwise counterclockwise|solid liquid|acid base|raw cooked|fresh stale|fresh frozen|sweet sour|
sharp blunt|smooth rough|tight loose|tighten loosen|fasten unfasten|wrap unwrap|plug unplug|dress undress|freeze unfreeze|freeze thaw|
freeze melt|pin unpin|do undo|tie untie|cover uncover|archive unarchive|ban unban|charge discharge|inhale exhale|appear disappear|
expand contract|expand collapse|maximise minimise|maximize minimize|zoom unzoom|employ dismiss|hire fire|arrest release|capture
release|catch throw|lead follow|leader follower|major minor|majority minority|senior junior|primary secondary|superior inferior|
natural artificial|guilty innocent|voluntary compulsory|voluntary mandatory|optional mandatory|optional required|active inactive|
active passive|direct indirect|formal informal|polite rude|honest dishonest|patient impatient|perfect imperfect|mature immature|
responsible irresponsible|rational irrational|literate illiterate|absent present|absence presence|near far|nearest furthest|
nearest farthest|closest furthest|closest farthest|here there|gross net|wholesale retail|inbound outbound|incoming outgoing|
upgrade downgrade|upstream downstream|upstairs downstairs|overestimate underestimate|overpaid underpaid|uppercase lowercase|
prefix suffix|synonym antonym|parent kid|vegan meat|vegetarian meat|smoking nonsmoking|refundable nonrefundable|inclusive exclusive|
benefit drawback|advantage disadvantage|advantages disadvantages|pros cons|pro con|strength weakness|strengths weaknesses|
symptom cure|gained lost|found lost|find lose|keep discard|keep delete|keep lose|save spend|save delete|earn spend|build destroy|
build demolish|assemble disassemble|dead living|awake asleep|early overdue|empty occupied|vacant occupied|qualify disqualify|
encourage discourage|encouraged discouraged|attract repel|praise criticise|praise criticize|reward punish|help harm|help hinder|
protect harm|hope fear|laugh cry|smile frown|whisper shout|sit stand|lie stand|pushes pulls|takeoff landing|land takeoff|
tail head|heads tails|foot head|floor ceiling|entrance exit|exits entrances|import-only export-only|stocks bonds|salty sweet|
ein aus|an aus|vor nach|mit ohne|auf zu|öffnen schließen|kaufen verkaufen|aktivieren deaktivieren|einschalten ausschalten|mehr weniger|
größte kleinste|heute morgen|heute gestern|gut schlecht|avant après|avec sans|ouvrir fermer|acheter vendre|activer désactiver|
plus moins|allumer éteindre|hier demain|bon mauvais|antes después|con sin|abrir cerrar|comprar vender|activar desactivar|
más menos|encender apagar|ayer mañana|hoy mañana|mejor peor|antes depois|com sem|abrir fechar|ligar desligar|mais menos|
aprire chiudere|comprare vendere|accendere spegnere|prima dopo|più meno|da a|von nach|de à|desde hasta|de a
"""

_FAMILIES = """
monday mon tuesday tue tues wednesday wed thursday thu thurs friday fri saturday sat sunday sun weekday weekend|
january jan february feb march mar april apr may june jun july jul august aug september sept october oct november nov december dec|
spring summer autumn winter|morning noon afternoon evening night midnight tonight|today tomorrow yesterday tonight|
second minute hour day week month quarter year decade century|daily weekly biweekly monthly quarterly yearly hourly|
first second third fourth fifth last|
all none most half|always often sometimes rarely never|
red green blue yellow orange purple pink black white brown gray violet silver gold beige turquoise cyan magenta|
north south east west northeast northwest southeast southwest|left right|
inch foot yard mile millimeter centimeter meter kilometer|gram kilogram pound ounce ton milligram stone|
liter milliliter gallon pint quart cup tablespoon teaspoon|celsius fahrenheit kelvin|byte kilobyte megabyte gigabyte terabyte|
usd eur gbp jpy chf cny inr aud cad mxn brl rub krw sek nok dkk pln czk huf try zar sgd hkd nzd thb ils aed sar rupee peso ruble won
franc lira real rand bitcoin ethereum dogecoin|percent euro dollar|
english german french spanish italian portuguese dutch swedish norwegian danish finnish polish czech russian ukrainian greek turkish
arabic hebrew hindi chinese mandarin cantonese japanese korean vietnamese thai indonesian latin irish welsh hungarian romanian swahili|
germany france spain italy portugal netherlands belgium austria switzerland sweden norway denmark finland poland czechia hungary
romania bulgaria greece turkey russia ukraine ireland scotland wales england britain uk usa us america canada mexico brazil argentina chile peru
colombia venezuela cuba jamaica egypt morocco algeria tunisia nigeria kenya ethiopia ghana tanzania uganda india pakistan bangladesh
nepal china japan korea vietnam thailand malaysia singapore indonesia philippines australia iran iraq israel syria lebanon jordan
qatar dubai afghanistan iceland croatia serbia slovenia slovakia estonia latvia lithuania luxembourg malta cyprus taiwan|
europe asia africa australia antarctica|american british canadian mexican brazilian argentine australian indian egyptian swiss austrian
belgian israeli iranian iraqi pakistani nigerian kenyan cuban|
london paris berlin madrid rome vienna lisbon dublin amsterdam brussels copenhagen stockholm oslo helsinki warsaw prague budapest athens
istanbul moscow kiev munich hamburg frankfurt cologne zurich geneva milan venice florence naples barcelona seville valencia porto lyon
marseille edinburgh glasgow manchester liverpool birmingham cairo dubai delhi mumbai bangalore tokyo osaka kyoto beijing shanghai seoul bangkok
sydney melbourne auckland toronto montreal vancouver chicago boston dallas houston austin denver seattle portland phoenix miami atlanta
detroit philadelphia pittsburgh cleveland baltimore orlando vegas brooklyn manhattan oakland sacramento memphis nashville minneapolis
milwaukee tampa charlotte cincinnati|
alabama alaska arizona arkansas california colorado connecticut delaware florida georgia hawaii idaho illinois indiana iowa kansas
kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada ohio oklahoma oregon
pennsylvania tennessee texas utah vermont virginia washington wisconsin wyoming|
mercury venus earth mars jupiter saturn uranus neptune pluto moon sun|
father mother son daughter brother sister husband wife uncle aunt nephew niece cousin grandfather grandmother boyfriend girlfriend|
mom dad|breakfast lunch dinner brunch supper snack|visa mastercard amex paypal|checking savings|credit debit|
bus train plane car taxi bike bicycle tram subway ferry boat ship truck motorcycle scooter|
dog cat horse cow pig sheep goat chicken duck rabbit hamster fish bird snake mouse rat lion tiger bear wolf fox elephant monkey|
apple orange banana grape lemon lime peach pear cherry strawberry mango pineapple melon|
beef pork chicken lamb turkey fish salmon tuna shrimp tofu|rice pasta potato bread noodle quinoa|
coffee tea water milk juice beer wine soda|sugar salt pepper flour butter oil|
piano guitar violin drum flute trumpet cello saxophone|football soccer basketball baseball tennis golf hockey rugby cricket volleyball|
python java javascript typescript ruby rust go golang php perl kotlin swift scala haskell c cpp csharp bash|
windows linux macos mac ubuntu debian fedora android ios|chrome firefox safari edge opera|
mysql postgresql postgres sqlite oracle mongodb redis mariadb|iphone android ipad|samsung apple google microsoft amazon facebook
twitter netflix spotify uber lyft|pdf csv json xml yaml html txt docx xlsx png jpg jpeg gif svg mp3 mp4 zip tar gz|
toyota honda ford bmw audi mercedes tesla nissan volkswagen hyundai kia mazda volvo|
mathematics physics chemistry biology history geography economics philosophy psychology|
christian muslim jewish hindu buddhist|copper iron gold silver aluminum zinc lead steel bronze|
kidney liver heart lung brain stomach|kitchen bathroom bedroom garage basement attic hallway office|
passport licence|email phone sms letter fax|username password|name address|his her|him her|read write execute|sum average median|did will|was will|size name owner|create modify access
"""


def _opposites() -> dict[str, frozenset[str]]:
    apart: dict[str, set[str]] = {}
    for pair in fold(_OPPOSITES).replace("\n", " ").split("|"):
        left, right = (SAME.get(word, word) for word in pair.split())
        apart.setdefault(left, set()).add(right)
        apart.setdefault(right, set()).add(left)
    return {word: frozenset(others - {word}) for word, others in apart.items()}


def _families() -> dict[str, frozenset[int]]:
    families: dict[str, set[int]] = {}
    for number, family in enumerate(fold(_FAMILIES).replace("\n", " ").split("|")):
        for word in family.split():
            families.setdefault(SAME.get(word, word), set()).add(number)
    return {word: frozenset(numbers) for word, numbers in families.items()}


_CONVERSE = """
before after|before follow|before following|after precede|after preceding|precede follow|preceding following|above below|over under|
morethan lessthan|harder easier|taller shorter|longer shorter|older younger|older newer|bigger smaller|larger smaller|heavier lighter|
faster slower|higher lower|hotter colder|warmer colder|warmer cooler|better worse|richer poorer|stronger weaker|earlier later|
wider narrower|deeper shallower|thicker thinner|brighter darker|cheaper dearer|nearer further|closer further|more less
"""
"""Relations that say the same the other way round: "X before Y" is "Y after X"."""


def _converse() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for pair in _CONVERSE.replace("\n", "").split("|"):
        one, other = (SAME.get(word, word) for word in pair.split())
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {word: frozenset(others) for word, others in found.items()}


CONVERSE: dict[str, frozenset[str]] = _converse()
OPPOSITES: dict[str, frozenset[str]] = _opposites()
FAMILIES: dict[str, frozenset[int]] = _families()
