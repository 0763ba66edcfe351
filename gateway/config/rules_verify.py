"""Rules for second opinions, shadow mode, audits and the bound on errors: mostly, has it an effect?"""

from __future__ import annotations

from gateway.config.findings import Findings
from gateway.config.model import File, LlmVerifier, Route
from gateway.config.model_routes import NO_VERIFIER, PAIRWISE
from gateway.config.preset import compares, verify_of
from gateway.config.problem import Place
from gateway.config.rules_stores import OPENAI_URL, check_api_key, check_base_url, check_reference
from gateway.config.syntax import covers

# What has no effect where nothing is served.
IDLE_IN_SHADOW = ("audit", "max_error")
# Members of a judge's request that say what is asked.
ASKED = ("model", "messages", "stream", "n", "tools")


def check_verifying(found: Findings, file: File) -> None:
    used: set[str] = set()
    judged: list[Place] = [("routes",)]
    for index, route in enumerate(file.routes):
        place: Place = ("routes", index)
        verify = verify_of(route)
        if verify is not None:
            used.add(verify.by)
            at = (*place, "verify") if isinstance(route.verify, str) else (*place, "verify", "with")
            check_reference(found, at, verify.by, {PAIRWISE, *file.verifiers}, "verifier")
        judged += [(*place, "verify"), (*place, "match"), (*place, "preset"), place]
        _check_thresholds(found, place, route)
        _check_trial(found, place, route)
        if route.compare is not None:
            used.add(route.compare)
            _check_comparison(found, (*place, "compare"), file, route)
    for name, verifier in file.verifiers.items():
        at = ("verifiers", name)
        if isinstance(verifier, LlmVerifier):
            _check_judge(found, file, at, verifier)
        if name in (PAIRWISE, NO_VERIFIER):
            what = "is built in" if name == PAIRWISE else "is the word for no second opinion"
            found.error(at, f"`{name}` cannot be declared: it {what}", "give it another name")
        elif name not in used:
            text = f"the verifier `{name}` is declared, but no route uses it"
            found.warning(at, text, judged_from=tuple(judged))


def _check_judge(found: Findings, file: File, at: Place, judge: LlmVerifier) -> None:
    check_base_url(found, at, judge.base_url)
    check_api_key(found, at, f"verifier `{at[-1]}`", judge.api_key, needed=judge.base_url.startswith(OPENAI_URL))
    if judge.budget.dollars_per_day is not None and not any(covers(model, judge.model) for model in file.prices):
        place = (*at, "budget", "dollars_per_day")
        text = "`dollars_per_day` has no effect: `prices` has none for the judge's model"
        found.error(
            place, text, f"write what {found.shown((*at, 'model'), judge.model)} costs", (("prices",), (*at, "model"))
        )
    for option in judge.options:
        if option in ASKED:
            found.error((*at, "options", option), f"`{option}` is what semgate asks with", "leave it out")


def _check_comparison(found: Findings, at: Place, file: File, route: Route) -> None:
    judge = file.verifiers.get(route.compare or "")
    if judge is None and route.compare != PAIRWISE:
        check_reference(found, at, route.compare or "", file.verifiers, "verifier")
    elif not isinstance(judge, LlmVerifier):
        found.error(
            at, "`compare` is a verifier of type `llm`: others judge questions, and not answers", "leave it out"
        )
    place = at[:-1]
    if not compares(route) and not any(found.is_filled_in((*place, name)) for name in ("mode", "audit", "max_error")):
        text = "`compare` has no effect where no answers are compared"
        found.error(at, text, "write `audit: 1%`, `max_error` or `mode: shadow` as well", ((*place, "mode"),))


def _check_thresholds(found: Findings, place: Place, route: Route) -> None:
    if route.match == "exact":
        return
    hit, candidate, verify = (*place, "thresholds", "hit"), (*place, "thresholds", "candidate"), (*place, "verify")
    judged = (verify, (*place, "preset"), (*place, "match"))
    if verify_of(route) is not None and found.is_written(hit):
        text = "`thresholds.hit` has no effect with a second opinion, which is asked from `thresholds.candidate` on"
        found.error(hit, text, "write `candidate`, or `verify: none`", judged)
    if verify_of(route) is None and found.is_written(candidate):
        text = "`thresholds.candidate` has no effect without a second opinion"
        hint = "write `verify: pairwise` as well, or `hit` instead"
        found.error(candidate, text, hint, (*judged, hit))


def _check_trial(found: Findings, place: Place, route: Route) -> None:
    mode, bound = (*place, "mode"), (*place, "max_error")
    if route.mode == "shadow" and not found.is_filled_in(mode):
        for at in ((*place, option) for option in IDLE_IN_SHADOW):
            if found.is_written(at):
                text = f"`{at[-1]}` has no effect with `mode: shadow`, where every answer is the upstream's"
                found.error(at, text, "leave it out until the route serves", (mode,))
    if route.max_error is not None and not 0 < route.max_error < 1:
        found.error(
            bound, "`max_error` must be more than 0 and less than 100%", "1% takes 366 comparisons, none of them wrong"
        )
