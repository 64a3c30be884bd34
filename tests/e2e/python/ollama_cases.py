"""What Ollama's Python client must be able to do through the gateway."""

import os

import ollama

import driver

client = ollama.Client(
    host=os.environ["BASE"], headers={"authorization": "Bearer " + os.environ["KEY"]}
)
HI = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Tells weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "Where"}},
                "required": ["city"],
            },
        },
    }
]


def ask(model, messages=HI, **more):
    return client.chat(model=model, messages=messages, **more)


def read(model, **more):
    text, thoughts, calls, last = "", "", [], None
    for part in client.chat(model=model, messages=HI, stream=True, **more):
        text += part.message.content or ""
        thoughts += part.message.thinking or ""
        calls += part.message.tool_calls or []
        last = part
    assert last is not None and last.done, "the stream ended in silence"
    return text, thoughts, calls, last


def case_text(model):
    reply = ask(model)
    assert reply.message.content == driver.TEXT, reply
    assert (reply.done, reply.done_reason) == (True, "stop")
    assert (reply.prompt_eval_count, reply.eval_count) == (75, 21)


def case_stream(model):
    text, _, _, last = read(model)
    assert text == driver.TEXT, text
    assert (last.prompt_eval_count, last.eval_count) == (75, 21), last


def case_call(model):
    (call,) = ask(model, tools=TOOLS).message.tool_calls
    assert call.function.name == "get_weather"
    assert call.function.arguments["day"] == 9007199254740993, call


def case_tools(model):
    text, _, calls, _ = read(model, tools=TOOLS)
    cities = [call.function.arguments["city"] for call in calls]
    assert cities == ["Oslo", 'Tromsø "north"'], calls
    history = HI + [{"role": "assistant", "content": text, "tool_calls": calls}]
    history += [
        {"role": "tool", "tool_name": call.function.name, "content": "sun"}
        for call in calls
    ]
    ask(model, messages=history, tools=TOOLS)


def case_thinking(model):
    reply = ask(model, think=True)
    got = (reply.message.content, reply.message.thinking)
    assert got == ("Aha", "Let me think."), got


def case_thinking_stream(model):
    text, thoughts, _, _ = read(model, think=True)
    assert (text, thoughts) == ("Aha", "Let me think."), (text, thoughts)


def case_rate_limit(model):
    driver.must_raise(lambda: ask(model), ollama.ResponseError, "slow down")


def case_rate_limit_stream(model):
    driver.must_raise(lambda: read(model), ollama.ResponseError, "slow down")


def case_broken(model):
    driver.must_raise(lambda: read(model), ollama.ResponseError, "Overloaded")


def case_cut(model):
    driver.must_raise(lambda: read(model), ollama.ResponseError, "upstream")


def case_models(model):
    names = [one.model for one in client.list().models]
    assert any(name.endswith(model.split(":", 1)[1]) for name in names), names


driver.serve(driver.collect_cases(globals()))
