"""Rules for synthesis: can it be asked, has it an effect, and is what it needs said?"""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, Route, Synthesis
from gateway.config.preset import verify_of
from gateway.config.problem import Place
from gateway.config.rules_stores import OPENAI_URL, check_reference
from gateway.config.rules_verify import ASKED
from gateway.config.syntax import covers, jsonpath_problem, plain_path_problem
from gateway.core.synthesis_reading import MARK


def check_synthesis(found: Findings, file: File) -> None:
    for index, route in enumerate(file.routes):
        if route.synthesis is not None:
            place: Place = ("routes", index)
            at = (*place, "synthesis")
            _check_upstream(found, file, at, route.synthesis)
            _check_bounds(found, at, route.synthesis)
            _check_answer(found, place, at, route, route.synthesis)
            _check_effect(found, place, at, route, route.synthesis)
            _check_budget(found, file, at, route.synthesis)


def _check_upstream(found: Findings, file: File, at: Place, synthesis: Synthesis) -> None:
    place = (*at, "upstream")
    check_reference(found, place, synthesis.upstream, file.upstreams, "upstream")
    upstream = file.upstreams.get(synthesis.upstream)
    named: Place = ("upstreams", synthesis.upstream)
    if upstream is not None and upstream.respond is not None:
        text = "`synthesis` needs an upstream with a `url`: a fixed answer makes nothing of kept ones"
        found.error(place, text, "name one that speaks OpenAI's chat API", (named,))
    elif upstream is not None and f"{upstream.url}/".startswith(OPENAI_URL):
        headers: Place = (*named, "headers")
        if "authorization" not in {name.lower() for name, value in upstream.headers.items() if value}:
            text = f"the upstream `{synthesis.upstream}` has no key of its own, and the callers' keys are not used for `synthesis`"
            hint = "write `headers: {Authorization: ...}` there, or an upstream for this with one"
            found.warning(place, text, hint, (named, headers))
    problem = plain_path_problem(synthesis.path)
    if problem is not None:
        found.error((*at, "path"), f"`path`: {problem}")
    for option in synthesis.options:
        if option in ASKED:
            found.error((*at, "options", option), f"`{option}` is what semgate asks with", "leave it out")
    if synthesis.prompt and MARK not in synthesis.prompt:
        text = (
            f"`prompt` does not say {MARK}, by which the model declines: it will answer whatever the kept answers hold"
        )
        found.warning((*at, "prompt"), text, "tell it to say that, and nothing else, where they do not hold enough")


def _check_bounds(found: Findings, at: Place, synthesis: Synthesis) -> None:
    if synthesis.max_material == 0:
        found.error((*at, "max_material"), "`max_material` must be more than 0", "leave `synthesis` out to turn it off")
    lengths = ("max_tokens", "max_completion_tokens")
    if "max_tokens" in synthesis.options and not any(synthesis.options.get(name) for name in lengths):
        text = "`max_tokens` has no effect: `options` leaves out what tells it to the model, so nothing bounds what an answer costs"
        hint = "name the model's own: `options: {max_tokens: null, max_completion_tokens: 1024}`"
        found.warning((*at, "options", "max_tokens"), text, hint, ((*at, "max_tokens"),))
    if synthesis.first_token > synthesis.timeout:
        text = "`first_token` is longer than `timeout`, which is the time for the whole answer"
        found.error((*at, "first_token"), text, "write a shorter one", ((*at, "timeout"),))


def _check_answer(found: Findings, place: Place, at: Place, route: Route, synthesis: Synthesis) -> None:
    where, dialect = (*at, "answer"), ((*place, "dialect"), (*place, "preset"))
    if route.dialect is not None:
        if found.is_written(where):
            text = "`answer` has no effect beside `dialect`, which knows where an answer's text is"
            found.error(where, text, "leave it out", dialect)
        return
    if not synthesis.answer:
        text = "`synthesis` on a route without `dialect` needs to know where the text of an answer is"
        found.error(at, text, "write `answer: $.answer`, or whatever leads to it", (where, *dialect))
        return
    problem = jsonpath_problem(synthesis.answer)
    if problem is not None:
        shown = "its value is not what belongs here" if found.is_filled_in(where) else problem
        found.error(where, f"`answer`: {shown}")


def _check_effect(found: Findings, place: Place, at: Place, route: Route, synthesis: Synthesis) -> None:
    if route.kind != "proxy":
        text = f"`synthesis` has no effect with `kind: {route.kind}`, whose answers have a form of their own"
        found.error(at, text, "leave it out, or write `kind: proxy`", ((*place, "kind"),))
    bound = (*place, "max_error")
    if route.max_error is not None:
        text = (
            "`max_error` cannot hold beside `synthesis`: what it proves is about kept answers, and not about new ones"
        )
        found.error(bound, text, "keep one of the two; `audit` and `mode: shadow` measure both", (at,))
    least, hit = (*at, "from"), (*place, "thresholds", "hit")
    judged = (hit, (*at, "mode"), (*place, "verify"), (*place, "preset"), (*place, "match"))
    if synthesis.mode == "auto" and verify_of(route) is None and synthesis.least >= route.thresholds.hit:
        text = "`from` leaves nothing to make answers of: whatever is as near as that is served as it is (`thresholds.hit`)"
        found.error(least, text, "write a lower one, or `mode: always`", judged)


def _check_budget(found: Findings, file: File, at: Place, synthesis: Synthesis) -> None:
    if synthesis.budget.dollars_per_day is None or any(covers(model, synthesis.model) for model in file.prices):
        return
    text = "`dollars_per_day` has no effect: `prices` has none for the model that makes answers"
    hint = f"write what {found.shown((*at, 'model'), synthesis.model)} costs"
    found.error((*at, "budget", "dollars_per_day"), text, hint, (("prices",), (*at, "model")))
