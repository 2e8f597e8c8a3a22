"""The large language model behind a fake endpoint: failures, resuming, keys, and what it is asked."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.explanation.ask_process import plan
from tests.explanation.chat_server import ChatServer, serve

from protsae.core.errors import InputError
from protsae.datasets import LlmAnswersDataset
from protsae.explanation.answers import INDEX_NAME, AnswerFolder, LlmPlan
from protsae.explanation.config import ExplanationConfig, LlmConfig
from protsae.explanation.endpoint import Endpoint, NoAnswer
from protsae.explanation.llm import plan_explanations, plan_scores
from protsae.explanation.prompts import Prompt, show
from protsae.explanation.tables import explanation_table, llm_table

KEY = "sk-very-secret"


def said(question):
    return json.dumps({"explanation": f"fires where {len(question)}"})


def ask(server, n=1, failures=(), **settings):
    """Return the answer of one endpoint to a prompt, with the waits that it made."""
    waits = []
    with serve(server) as url:
        config = LlmConfig(use="explain", base_url=url, model="m", backoff_s=1.0, **settings)
        prompt = Prompt(0, "explain", False, "what?")
        return Endpoint(config, waits.append).ask(prompt), waits


def test_busy_and_broken_answers_are_asked_again_with_growing_waits():
    failures = [429, 500, b"not json", json.dumps({"choices": []}).encode()]
    server = ChatServer(said, failures)
    answer, waits = ask(server)
    assert answer == "fires where 5"
    assert waits == [1.0, 2.0, 4.0, 8.0]
    assert server.requests == {"what?": 5}


def test_an_answer_in_another_form_is_asked_again():
    texts = iter(["I think it fires on C.", '{"explanation": ""}', '```json\n{"explanation": "on  C"}\n```'])
    answer, waits = ask(ChatServer(lambda question: next(texts)))
    assert answer == "on C"
    assert len(waits) == 2


def test_answers_without_a_text_and_far_too_long_ones_are_asked_again():
    failures = [
        json.dumps({"choices": [{"message": {"content": None}}]}).encode(),
        json.dumps({"choices": [{"message": {"content": ["fires"]}}]}).encode(),
        b'{"choices": [{"message": {"content": "' + b"x" * (1 << 23) + b'"}}]}',
        b"[" * 200_000,
    ]
    with pytest.raises(NoAnswer) as error:
        ask(ChatServer(said, failures), n_attempts=4)
    assert "not of the protocol" in str(error.value)
    for failure, wanted in zip(failures, ("no text", "no text", "over 4194304 bytes"), strict=False):
        with pytest.raises(NoAnswer, match=wanted):
            ask(ChatServer(said, [failure]), n_attempts=1)


def test_a_longer_retry_after_is_obeyed():
    server = ChatServer(said, [(429, {"Retry-After": "30"}), (503, {"Retry-After": "Wed, 21 Oct 2015"})])
    assert ask(server)[1] == [30.0, 2.0]


def test_after_the_last_attempt_there_is_no_answer():
    with pytest.raises(NoAnswer, match="HTTP 500"):
        ask(ChatServer(said, [500] * 9), n_attempts=3)


def test_nobody_at_the_address_is_no_answer():
    with serve(ChatServer(said)) as url:
        pass
    config = LlmConfig(use="explain", base_url=url, model="m", n_attempts=2)
    with pytest.raises(NoAnswer):
        Endpoint(config, lambda seconds: None).ask(Prompt(0, "explain", False, "what?"))


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_ends_the_run_and_does_not_show_the_key(monkeypatch, status):
    """The fake server repeats the key in its message."""
    monkeypatch.setenv("MY_KEY", KEY)
    server = ChatServer(said, [status])
    with pytest.raises(InputError, match=f"HTTP {status}.*api_key_env") as error:
        ask(server, api_key_env="MY_KEY")
    assert KEY not in str(error.value) and "[key]" in str(error.value)
    assert server.keys == [f"Bearer {KEY}"]


def test_a_key_that_is_not_set_is_asked_for(monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(InputError, match="environment variable MY_KEY is not set"):
        Endpoint(LlmConfig(use="explain", model="m", api_key_env="MY_KEY"))


def test_no_key_is_sent_where_none_is_named():
    server = ChatServer(said)
    ask(server)
    assert server.keys == [None]
    assert server.bodies[0]["model"] == "m" and server.bodies[0]["temperature"] == 0


def test_no_more_requests_than_allowed_are_under_way(tmp_path):
    server = ChatServer(said, delay=0.02)
    with serve(server) as url:
        plan(url, 12).run(tmp_path / "answers")
    assert server.most == 2
    assert set(server.requests.values()) == {1} and len(server.requests) == 12


def test_what_has_an_answer_is_never_asked_again(tmp_path):
    server = ChatServer(said)
    with serve(server) as url:
        plan(url, 4).run(tmp_path / "answers")
        plan(url, 6).run(tmp_path / "answers")
    assert len(server.requests) == 6 and set(server.requests.values()) == {1}
    assert len(AnswerFolder(tmp_path / "answers").answered) == 6


def test_after_a_kill_the_rest_is_asked_and_nothing_twice(tmp_path):
    """Requests under way when the process dies are lost: those alone may be asked again."""
    server = ChatServer(said, delay=0.05)
    folder = tmp_path / "answers"
    with serve(server) as url:
        script = Path(__file__).with_name("ask_process.py")
        paths = os.pathsep.join(p for p in sys.path if p)
        process = subprocess.Popen(
            [sys.executable, str(script), url, str(folder), "30"], env={**os.environ, "PYTHONPATH": paths}
        )
        while len(list(folder.glob("*.json"))) < 6:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.2)  # what was under way is answered to nobody
        kept = set(folder.glob("*.json"))
        assert 6 <= len(kept) < 30 and not (folder / INDEX_NAME).exists()
        prompts = plan(url, 30).prompts
        answered = {p.question for p in prompts if folder / f"{p.key('m', 400)}.json" in kept}
        plan(url, 30).run(folder)
    assert len(server.requests) == 30
    assert all(server.requests[question] == 1 for question in answered)
    assert sum(server.requests.values()) <= 30 + 2
    assert len(AnswerFolder(folder).sentences()) == 30


def test_a_damaged_answer_is_asked_again(tmp_path):
    server = ChatServer(said)
    with serve(server) as url:
        plan(url, 2).run(tmp_path)
        damaged = tmp_path / f"{plan(url, 2).prompts[1].key('m', 400)}.json"
        damaged.write_text(damaged.read_text().replace("fires", "tires"))
        with pytest.raises(InputError, match=f"{damaged.name} is missing or damaged"):
            AnswerFolder(tmp_path)
        plan(url, 2).run(tmp_path)
    assert sorted(server.requests.values()) == [1, 2]
    assert len(AnswerFolder(tmp_path).sentences()) == 2


def test_prompts_without_an_answer_are_counted_and_listed(tmp_path, caplog):
    def answer(question):
        return "no" if question == "question 1" else said(question)

    with serve(ChatServer(answer)) as url, caplog.at_level(logging.INFO):
        one = plan(url, 3)
        LlmPlan(one.prompts, one.config.model_copy(update={"n_attempts": 2})).run(tmp_path)
    assert "m answered 2 prompts, 0 had answers already, 1 have none" in caplog.text
    found = AnswerFolder(tmp_path)
    assert set(found.sentences()) == {0, 2}
    assert "another form" in found.answered[1].reason


def test_the_key_is_written_nowhere(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", KEY)
    with serve(ChatServer(said, [500])) as url, caplog.at_level(logging.DEBUG):
        one = plan(url, 3)
        config = one.config.model_copy(update={"api_key_env": "MY_KEY", "n_attempts": 1})
        LlmPlan(one.prompts, config).run(tmp_path)
    assert KEY not in caplog.text
    assert all(KEY not in path.read_text() for path in tmp_path.iterdir())


def test_an_empty_plan_asks_nobody_and_leaves_an_index(tmp_path):
    dataset = LlmAnswersDataset(filepath=str(tmp_path / "answers"))
    assert not dataset.exists()
    dataset.save(LlmPlan((), LlmConfig()))
    assert dataset.exists()
    assert dataset.load().answered == []
    (tmp_path / "answers" / INDEX_NAME).write_text("{}")
    with pytest.raises(InputError, match="no index of answers"):
        dataset.load()


def oracle(panel_of):
    """Answer from `<`: it fires where something is marked; a sentence otherwise."""

    def answer(question):
        if "Say in one plain sentence" in question:
            return json.dumps({"explanation": f"it fires as in question {len(question)} {question[35:50]}"})
        lines = question.split("\n")[2:]
        return json.dumps({"answers": [panel_of(question, line) for line in lines]})

    return answer


def test_explanations_and_scores_come_from_the_endpoint_and_are_marked(tmp_path, explainer, explained):
    rules = explanation_table(explained, "planted", ExplanationConfig())
    truth = {}

    def known(question, line):
        return truth[question].pop(0)

    server = ChatServer(oracle(known))
    with serve(server) as url:
        config = LlmConfig(
            use="explain_and_score", base_url=url, model="big", n_latents=4, n_examples=6, backoff_s=0
        )
        first = plan_explanations(explainer, rules, config)
        assert len(first.prompts) == 4
        first.run(tmp_path / "said")
        said_folder = AnswerFolder(tmp_path / "said")
        second = plan_scores(explainer, said_folder, config)
        assert len(second.prompts) == 4 * 2 * 3, "own and shuffled, three tests"
        for prompt in second.prompts:  # right about own explanations, always yes about shuffled ones
            answers = [1] * len(prompt.truth) if prompt.is_shuffled else list(prompt.truth)
            assert prompt.question not in truth, "every question is asked once"
            truth[prompt.question] = answers
        second.run(tmp_path / "scores")
    table = llm_table(rules, said_folder, AnswerFolder(tmp_path / "scores"))
    assert len(table) == 4
    assert table["is_generated"].all() and set(table["author"]) == {"big"}
    assert not rules["is_generated"].any() and set(rules["author"]) == {"rules"}
    assert table["sentence"].str.startswith("it fires as in question").all()
    assert (table["n_scored"] == 6).all()
    assert (table[["detection", "fuzzing", "intruder"]] == 1).all(axis=None)
    assert (table[["detection_floor", "fuzzing_floor"]] == 0.5).all(axis=None)
    assert (table["intruder_floor"] < 0.7).all()
    assert list(table.columns) == list(rules.columns)


def test_balanced_accuracies_of_answers_by_hand(tmp_path, explained):
    rules = explanation_table(explained, "planted", ExplanationConfig())
    truth = {"detection": (1, 1, 1, 0), "fuzzing": (1, 0), "intruder": (2, 0, 4)}
    answers = {"detection": [1, 1, 0, 1], "fuzzing": [1, 0], "intruder": [2, 1, 4]}
    prompts = [Prompt(0, task, False, task, of) for task, of in truth.items()]
    prompts.append(Prompt(0, "detection", True, "other", (1, 0)))
    asked = [Prompt(0, "explain", False, "explain")]

    class Fake:
        def ask(self, prompt):
            if prompt.task == "explain":
                return "a sentence"
            return [0, 0] if prompt.is_shuffled else answers[prompt.task]

    config = LlmConfig(use="explain_and_score", model="m")
    LlmPlan(asked, config).run(tmp_path / "said", Fake())
    LlmPlan(prompts, config).run(tmp_path / "scores", Fake())
    row = llm_table(rules, AnswerFolder(tmp_path / "said"), AnswerFolder(tmp_path / "scores")).iloc[0]
    assert row["detection"] == pytest.approx((2 / 3 + 0) / 2)
    assert row["detection_floor"] == 0.5
    assert row["fuzzing"] == 1.0
    assert row["intruder"] == pytest.approx(2 / 3)
    assert np.isnan(row["fuzzing_floor"])


@pytest.mark.parametrize(
    ("task", "truth", "text"),
    [
        ("detection", (1, 0), '{"answers": [1]}'),
        ("detection", (1, 0), '{"answers": ["yes", "no"]}'),
        ("explain", (), json.dumps({"explanation": "x" * 601})),
        ("explain", (), "[]"),
        ("explain", (), '{"explanation": null}'),
        ("explain", (), '{"explanation": ["a", "b"]}'),
        ("explain", (), '{"explanation": "\\ud800"}'),
        ("detection", (1,), '{"answers": [0.7]}'),
        ("detection", (1,), '{"answers": [1e400]}'),
        ("detection", (1,), '{"answers": [' + "9" * 5000 + "]}"),
    ],
)
def test_answers_of_another_form_are_refused(task, truth, text):
    with pytest.raises(ValueError):
        Prompt(0, task, False, "?", truth).read(text)


def test_another_question_model_or_length_has_another_key():
    prompt = Prompt(0, "detection", False, "?", (1, 0))
    keys = {prompt.key("m", 10), prompt.key("n", 10), prompt.key("m", 11)}
    keys |= {Prompt(0, "detection", False, "!", (1, 0)).key("m", 10)}
    assert len(keys) == 4
    assert Prompt(9, "detection", True, "?", (0, 1)).key("m", 10) == prompt.key("m", 10)


def test_marked_residues_are_shown_in_angle_brackets(explainer):
    panel = explainer.test
    rows = np.arange(panel.first_row[0] - 2, panel.first_row[0] + 4)
    letters = explainer.proteins.sequences()[panel.protein_ids[0]]
    marks = np.array([False, False, True, True, False, True])
    expected = f"<{letters[:2]}>{letters[2]}<{letters[3]}>"
    assert show(panel, rows, marks) == expected
    assert show(panel, rows) == letters[:4]


def test_questions_hold_windows_and_never_the_answers(explainer, explained):
    rules = explanation_table(explained, "planted", ExplanationConfig())
    config = LlmConfig(use="explain", model="m", n_latents=3, n_examples=5)
    for prompt in plan_explanations(explainer, rules, config).prompts:
        lines = prompt.question.split("\n")
        assert sum("<" in line for line in lines) == 5
        known = rules.set_index("latent").loc[prompt.latent, "sentence"]
        assert f"What statistics say: {known}" in lines
    assert plan_explanations(explainer, rules, LlmConfig()).prompts == ()
