"""What Google's Python SDK must be able to do through the gateway."""

import os

from google import genai
from google.genai import errors, types

import driver

client = genai.Client(
    api_key=os.environ["KEY"],
    vertexai=False,
    http_options=types.HttpOptions(
        base_url=os.environ["BASE"], retry_options=types.HttpRetryOptions(attempts=1)
    ),
)
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(
                name="get_weather",
                description="Tells weather",
                parameters_json_schema={
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            )
        ]
    )
]
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
THINKING = types.ThinkingConfig(thinking_budget=5000, include_thoughts=True)


def ask(model, contents="Hi", **config):
    return client.models.generate_content(
        model=model, contents=contents, config=types.GenerateContentConfig(**config)
    )


def read(model, **config):
    return list(
        client.models.generate_content_stream(
            model=model, contents="Hi", config=types.GenerateContentConfig(**config)
        )
    )


def parts(replies):
    text, thoughts, calls = "", "", []
    for reply in replies:
        content = reply.candidates[0].content if reply.candidates else None
        for part in (content.parts if content else None) or []:
            if part.function_call:
                calls.append(part.function_call)
            elif part.thought:
                thoughts += part.text or ""
            else:
                text += part.text or ""
    return text, thoughts, calls


def finish(reply):
    return reply.candidates[0].finish_reason


def case_text(model):
    reply = ask(model)
    assert parts([reply])[0] == driver.TEXT, reply
    assert finish(reply) == types.FinishReason.STOP
    assert reply.usage_metadata.prompt_token_count == 75
    assert reply.usage_metadata.total_token_count == 96


def case_stream(model):
    replies = read(model)
    assert parts(replies)[0] == driver.TEXT, replies
    assert finish(replies[-1]) == types.FinishReason.STOP
    assert replies[-1].usage_metadata.total_token_count == 96


def case_call(model):
    reply = ask(model, tools=TOOLS, automatic_function_calling=BY_HAND)
    (call,) = parts([reply])[2]
    assert call.name == "get_weather" and call.args["city"] == "Oslo", call


def case_tools(model):
    replies = read(model, tools=TOOLS, automatic_function_calling=BY_HAND)
    calls = parts(replies)[2]
    assert [call.args["city"] for call in calls] == ["Oslo", 'Tromsø "north"'], calls
    turn = [
        part
        for reply in replies
        for part in (reply.candidates[0].content.parts if reply.candidates[0].content else [])
        or []
    ]
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": "sun"}
            )
        )
        for call in calls
    ]
    ask(
        model,
        contents=[
            types.Content(role="user", parts=[types.Part(text="Hi")]),
            types.Content(role="model", parts=turn),
            types.Content(role="user", parts=results),
        ],
        tools=TOOLS,
        automatic_function_calling=BY_HAND,
    )


def case_thinking(model):
    text, thoughts, _ = parts([ask(model, thinking_config=THINKING)])
    assert (text, thoughts) == ("Aha", "Let me think."), (text, thoughts)


def case_thinking_stream(model):
    text, thoughts, _ = parts(read(model, thinking_config=THINKING))
    assert (text, thoughts) == ("Aha", "Let me think."), (text, thoughts)


def case_rate_limit(model):
    driver.must_raise(lambda: ask(model), errors.ClientError, "slow down")


def case_rate_limit_stream(model):
    driver.must_raise(lambda: read(model), errors.ClientError, "slow down")


def case_broken(model):
    driver.must_raise(lambda: read(model), errors.APIError, "Overloaded")


def case_cut(model):
    driver.must_raise(lambda: read(model), errors.APIError, "upstream")


def case_models(model):
    names = [one.name for one in client.models.list()]
    assert "models/" + model.split(":", 1)[1] in names, names


driver.serve(driver.collect_cases(globals()))
