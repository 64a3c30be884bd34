"""What the official Python SDK of OpenAI must be able to do through the gateway: Responses."""

import json
import os

import openai

import driver

# Strict: a member of a wrong type raises.
client = openai.OpenAI(
    base_url=os.environ["BASE"] + "/v1",
    api_key=os.environ["KEY"],
    max_retries=0,
    _strict_response_validation=True,
)
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]
REASONING = {"effort": "high", "summary": "auto"}


def read(model, **more):
    """Reads a stream to its end, which must be a response that is complete."""
    final = None
    for event in client.responses.create(model=model, input="Hi", stream=True, **more):
        if event.type in ("response.completed", "response.incomplete"):
            final = event.response
        elif event.type == "response.failed":
            raise RuntimeError(event.response.error.message)
    assert final is not None, "the stream ended in silence"
    return final


def thoughts_of(response):
    return "".join(
        part.text
        for item in response.output
        if item.type == "reasoning"
        for part in item.summary
    )


def case_text(model):
    reply = client.responses.create(model=model, input="Hi")
    assert reply.output_text == driver.TEXT, reply
    assert reply.status == "completed"
    assert reply.usage.input_tokens == 75
    assert reply.usage.output_tokens == 21


def case_stream(model):
    reply = read(model)
    assert reply.output_text == driver.TEXT, reply
    assert reply.usage.total_tokens == 96, reply.usage


def case_call(model):
    reply = client.responses.create(model=model, input="Hi", tools=TOOLS)
    (call,) = [item for item in reply.output if item.type == "function_call"]
    assert json.loads(call.arguments)["day"] == 9007199254740993, call


def case_tools(model):
    with client.responses.stream(model=model, input="Hi", tools=TOOLS) as stream:
        for _ in stream:
            pass
        reply = stream.get_final_response()
    calls = [item for item in reply.output if item.type == "function_call"]
    assert len({call.call_id for call in calls}) == 2, calls
    assert json.loads(calls[0].arguments)["city"] == "Oslo"
    assert json.loads(calls[1].arguments)["city"] == 'Tromsø "north"'
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
        for call in calls
    ]
    client.responses.create(
        model=model, previous_response_id=reply.id, input=results, tools=TOOLS
    )


def case_thinking(model):
    reply = client.responses.create(model=model, input="Hi", reasoning=REASONING)
    assert reply.output_text == "Aha", reply
    assert thoughts_of(reply) == "Let me think.", reply


def case_thinking_stream(model):
    reply = read(model, reasoning=REASONING)
    assert reply.output_text == "Aha", reply
    assert thoughts_of(reply) == "Let me think.", reply


def case_rate_limit(model):
    driver.must_raise(
        lambda: client.responses.create(model=model, input="Hi"),
        openai.RateLimitError,
        "slow down",
    )


def case_rate_limit_stream(model):
    driver.must_raise(lambda: read(model), openai.RateLimitError, "slow down")


def case_broken(model):
    driver.must_raise(lambda: read(model), (openai.APIError, RuntimeError), "Overloaded")


def case_cut(model):
    driver.must_raise(lambda: read(model), (openai.APIError, RuntimeError), "upstream")


def case_models(model):
    assert client.models.retrieve(model.split(":", 1)[1]).id


driver.serve(driver.collect_cases(globals()))
