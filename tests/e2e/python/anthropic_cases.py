"""What the official Python SDK of Anthropic must be able to do through the gateway."""

import os

import anthropic

import driver

client = anthropic.Anthropic(
    base_url=os.environ["BASE"], api_key=os.environ["KEY"], max_retries=0
)
HI = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {
        "name": "get_weather",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]


def case_text(model):
    reply = client.messages.create(model=model, max_tokens=100, messages=HI)
    assert [block.text for block in reply.content] == ["Grüße 🌍"], reply
    assert reply.stop_reason == "end_turn"
    assert reply.usage.input_tokens == 11
    assert reply.usage.cache_read_input_tokens == 64
    assert reply.usage.output_tokens == 21


def case_stream(model):
    with client.messages.stream(model=model, max_tokens=100, messages=HI) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == "Grüße 🌍", text
    assert final.stop_reason == "end_turn"
    assert final.usage.input_tokens == 11, final.usage
    assert final.usage.output_tokens == 21, final.usage


def case_tools(model):
    with client.messages.stream(
        model=model, max_tokens=100, messages=HI, tools=TOOLS
    ) as stream:
        final = stream.get_final_message()
    calls = [block for block in final.content if block.type == "tool_use"]
    assert [call.id for call in calls] == ["toolu_a1", "toolu_b2"], calls
    assert calls[0].input["city"] == "Oslo"
    assert calls[1].input["city"] == 'Tromsø "north"'
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls
    ]
    client.messages.create(
        model=model,
        max_tokens=100,
        tools=TOOLS,
        messages=HI
        + [
            {"role": "assistant", "content": final.content},
            {"role": "user", "content": results},
        ],
    )


def case_rate_limit(model):
    try:
        client.messages.create(model=model, max_tokens=100, messages=HI)
    except anthropic.RateLimitError as error:
        assert "slow down" in str(error)
        assert error.response.headers["retry-after"] == "7"
    else:
        raise AssertionError("no error was raised")


def case_overloaded(model):
    try:
        client.messages.create(model=model, max_tokens=100, messages=HI, stream=True)
    except anthropic.InternalServerError as error:
        assert error.status_code == 529, error.status_code
        assert "busy" in str(error)
    else:
        raise AssertionError("no error was raised")


def case_cut(model):
    """A stream that broke in the middle must raise, not end as if all were well."""
    seen = ""
    try:
        with client.messages.stream(model=model, max_tokens=100, messages=HI) as stream:
            for text in stream.text_stream:
                seen += text
            final = stream.get_final_message()
    except Exception as error:
        assert "Half" in seen, (seen, error)
    else:
        raise AssertionError(f"the stream ended in silence: {final}")


def case_models(model):
    del model
    assert [one.id for one in client.models.list()]


driver.serve(driver.collect_cases(globals()))
