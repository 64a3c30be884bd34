"""The cases of the bench: what is sent, what is compared with what, and the bar."""

import statistics
import time

from targets import Nginx, Proxima, release

WORDS = 'The quick brown fox jumps over the lazy dog. '


def chat(model, size=0, stream=False):
    text = (WORDS * (size // len(WORDS) + 1))[:size] or 'Say hello.'
    body = {'model': model, 'messages': [{'role': 'user', 'content': text}]}
    if stream:
        body.update(stream=True, stream_options={'include_usage': True})
    return {'path': '/v1/chat/completions', 'body': body, 'events': 1, 'end': '"stop"'}


def messages(model, stream=False):
    body = {'model': model, 'max_tokens': 1024,
            'messages': [{'role': 'user', 'content': 'Say hello.'}]}
    if stream:
        body['stream'] = True
    return {'path': '/v1/messages', 'body': body, 'events': 1, 'end': 'end_turn',
            'headers': ['anthropic-version: 2023-06-01']}


def chat_stream(events):
    return {**chat(f'gpt-e{events}', stream=True), 'acks': True, 'events': events,
            'end': '[DONE]'}


def timed_stream(events):
    return {**chat(f'gpt-t{events}', stream=True), 'events': events, 'end': '[DONE]'}


def messages_stream(events):
    return {**messages(f'gpt-e{events}', stream=True), 'acks': True, 'events': events,
            'end': 'message_stop'}


# Of each client: its path, what it asks, what its answers end in whole and streamed, and how often
# a stream says each piece of text (Responses repeats it at the end of the part, of the item, …).
CLIENTS = {
    'chat': (lambda m, s: '/v1/chat/completions', lambda m, s: chat(m, stream=s)['body'],
             '"stop"', '[DONE]', 1),
    'responses': (lambda m, s: '/v1/responses',
                  lambda m, s: {'model': m, 'input': 'Say hello.', 'stream': s, 'store': False},
                  '"total_tokens":32', '"total_tokens":32', 5),
    'anthropic': (lambda m, s: '/v1/messages', lambda m, s: messages(m, stream=s)['body'],
                  'end_turn', 'message_stop', 1),
    'gemini': (lambda m, s: f'/v1beta/models/{m}:'
               + ('streamGenerateContent?alt=sse' if s else 'generateContent'),
               lambda m, s: {'contents': [{'role': 'user', 'parts': [{'text': 'Say hello.'}]}]},
               '"STOP"', '"STOP"', 1),
    'ollama': (lambda m, s: '/api/chat',
               lambda m, s: {'model': m, 'stream': s,
                             'messages': [{'role': 'user', 'content': 'Say hello.'}]},
               '"done":true', '"done":true', 1),
}
UPSTREAMS = {'chat': 'openai-bench', 'responses': 'responses-bench', 'anthropic': 'claude-bench',
             'gemini': 'gemini-bench', 'ollama': 'ollama-bench'}


def pair(client, upstream, events=0):
    """A request of `client` that the gateway sends on to `upstream`."""
    path, body, end, stream_end, times = CLIENTS[client]
    model = f'{UPSTREAMS[upstream]}:gpt-' + (f'e{events}' if events else 'bench')
    return {'path': path(model, bool(events)), 'body': body(model, bool(events)),
            'acks': bool(events), 'events': events * times if events else 1,
            'end': stream_end if events else end}


class Case:
    """One line of the report. `measure(bench)` returns its figures; `bar` is which and how much."""

    def __init__(self, name, text, unit, bar, measure):
        self.name, self.text, self.unit, self.bar, self.measure = name, text, unit, bar, measure


def cpu_case(bench, name, request, baseline, requests, per=1, target='plain'):
    """Processor time per request (or per event, `per` of them a request), pair by pair."""
    pairs, nginx, proxima, times = [], [], [], {'direct': [], 'nginx': [], 'proxima': []}
    requests = bench.scaled(requests)
    for _ in range(bench.rounds):
        times['direct'] += bench.load.run([bench.upstream.port], baseline, requests=requests)
        cost, took = bench.cpu_of(bench.nginx, baseline, requests)
        nginx.append(cost / per)
        times['nginx'].append(took)
        if bench.proxima:
            cost, took = bench.cpu_of(bench.gateway(target), request, requests)
            proxima.append(cost / per)
            times['proxima'].append(took)
            pairs.append(proxima[-1] / nginx[-1])
    if bench.proxima:
        bench.profile(name, bench.gateway(target), request, requests)
    return {'nginx': median(nginx), 'proxima': median(proxima), 'ratio': median(pairs),
            'spread': (min(pairs), max(pairs)) if pairs else None,
            'times': summary(times, requests, per)}


def summary(times, requests, per):
    """What the client saw, from the medians of all rounds."""
    out = {}
    for name, rounds in times.items():
        if rounds:
            out[name] = {key: median([r[key] for r in rounds])
                         for key in ('p50', 'p99', 'first_p50', 'first_p99')}
            out[name]['reads'] = median([r['reads'] for r in rounds]) / requests / per
            out[name]['rate'] = requests / median([r['seconds'] for r in rounds])
    return out


def median(values):
    return statistics.median(values) if values else None


def pairs_case(bench, name, baseline, requests, per=1, turns=1):
    """The same for every pair of protocols; the worst one's ratio is the case's.

    The worst of twenty is as far off as the noise of a single one lets it be: so a round has more
    and shorter `turns` where those are noisy.
    """
    pairs = [(c, u) for c in CLIENTS for u in UPSTREAMS if c != u]
    events = per if per > 1 else 0
    ratios, cost, nginx = {p: [] for p in pairs}, {p: [] for p in pairs}, []
    requests = bench.scaled(requests)
    for _ in range(bench.rounds * turns):
        for both in pairs:
            whole, _ = bench.cpu_of(bench.nginx, baseline, requests)
            nginx.append(whole / per)
            whole, _ = bench.cpu_of(bench.gateway('plain'), pair(*both, events), requests)
            cost[both].append(whole / per)
            ratios[both].append(cost[both][-1] / nginx[-1])
    ranked = sorted(pairs, key=lambda p: -median(ratios[p]))
    worst = ranked[0]
    if bench.profiles:
        bench.profile(name, bench.gateway('plain'), pair(*worst, events), requests)
    told = [f'{c} of {u} {median(ratios[c, u]):.2f}' for c, u in ranked]
    return {'nginx': median(nginx), 'proxima': median(cost[worst]), 'ratio': median(ratios[worst]),
            'spread': (min(ratios[worst]), max(ratios[worst])),
            'pairs': {f'{c} of {u}': median(ratios[c, u]) for c, u in pairs},
            'note': 'by pair: ' + ', '.join(told)}


def large_case(bench):
    """A conversation of 200 KB, by pair, against cJSON on the same bytes."""
    lines = [line.split() for line in bench.convert()]
    lines.sort(key=lambda words: -float(words[5]))
    told = [f'{words[0]} to {words[1]} {float(words[5]):.2f}' for words in lines]
    return {'proxima': float(lines[0][3]), 'ratio': float(lines[0][5]),
            'pairs': {f'{words[0]} to {words[1]}': float(words[5]) for words in lines},
            'note': 'by pair: ' + ', '.join(told)}


def linear_case(bench, make):
    """Cost of an event in long streams against that in short ones."""
    sizes = (200, 400, 800, 1600)
    target = bench.gateway('plain') if bench.proxima else bench.nginx
    ratios, cost = [], {size: [] for size in sizes}
    for _ in range(bench.rounds):
        for size in sizes:
            requests = max(32, 64 * 1600 // size // (2 if bench.quick else 1))
            whole, _ = bench.cpu_of(target, make(size), requests)
            cost[size].append(whole / size)
        ratios.append((cost[1600][-1] + cost[800][-1]) / (cost[400][-1] + cost[200][-1]))
    note = ', '.join(f'{size}: {median(cost[size]):.2f}' for size in sizes)
    return {'ratio': median(ratios) if bench.proxima else None,
            'spread': (min(ratios), max(ratios)),
            'cost': {size: median(cost[size]) for size in sizes},
            'note': f'µs an event of {target.name}, by events in a stream: {note}'}


def first_case(bench):
    """Time to the first event, open loop, one request to each target in turn."""
    ports = [bench.upstream.port, bench.nginx.port]
    names = ['direct', 'nginx']
    if bench.proxima:
        ports.append(bench.gateway('plain').port)
        names.append('proxima')
    rounds = {name: [] for name in names}
    ratios, requests = [], bench.scaled(400)
    for _ in range(bench.rounds):
        answers = bench.load.run(ports, timed_stream(3), rate=100, requests=requests)
        for name, answer in zip(names, answers):
            rounds[name].append(answer)
        direct, nginx = answers[0]['first_p50'], answers[1]['first_p50']
        if bench.proxima:
            ratios.append((answers[2]['first_p50'] - direct) / (nginx - direct))
    times = summary(rounds, requests, 3)
    added = {name: times[name]['first_p50'] - times['direct']['first_p50'] for name in names}
    return {'direct': times['direct']['first_p50'], 'nginx': added['nginx'],
            'proxima': added.get('proxima'), 'ratio': median(ratios),
            'spread': (min(ratios), max(ratios)) if ratios else None, 'times': times}


def awake_case(bench):
    """The same with processors that never sleep, which hides what waking them costs."""
    spinners = bench.spinners()
    try:
        return first_case(bench)
    finally:
        for spinner in spinners:
            spinner.stop()


def held_case(bench, request, count, make, **options):
    """KiB that each of `count` held connections costs, from a warm start."""
    out = {}
    for name, start in make(bench).items():
        target = start()
        try:
            port = target.tls_port if options.get('tls') else target.port
            warm = {**chat('gpt-bench'), 'headers': request.get('headers', ())}
            release(bench.load.hold(port, warm, connections=4, tls=options.get('tls')))
            time.sleep(0.5)
            before = target.anon()
            held = bench.load.hold(port, request, connections=count, **options)
            time.sleep(0.5)
            out[name] = (target.anon() - before) / 1024 / count
            release(held)
        finally:
            target.stop()
    return {**out, 'ratio': ratio(out)}


def tls_case(bench):
    """MiB after one transfer with TLS on both sides."""
    out = {}
    for name, start in secure(bench).items():
        target = start()
        try:
            release(bench.load.hold(target.tls_port, chat('gpt-bench'), connections=1, tls=True))
            time.sleep(0.5)
            out[name] = target.anon() / 1024 / 1024
        finally:
            target.stop()
    return {**out, 'ratio': ratio(out)}


def ratio(figures):
    return figures['proxima'] / figures['nginx'] if 'proxima' in figures else None


def plain(bench):
    out = {'nginx': lambda: bench.start(Nginx, *bench.certificate[:2])}
    if bench.proxima:
        out['proxima'] = lambda: bench.start(Proxima)
    return out


def secure(bench):
    out = {'nginx': lambda: bench.start(Nginx, *bench.certificate[:2])}
    if bench.proxima:
        out['proxima'] = lambda: bench.start(Proxima, secure=bench.certificate)
    return out


def slow(size):
    return {**chat('gpt-slow', size=size, stream=True), 'end': None}


def cases():
    small = chat('gpt-bench')
    stream = chat_stream(400)
    return [
        Case('unary', 'pass-through', 'µs/request', ('ratio', 2.0),
             lambda b: cpu_case(b, 'unary', small, small, 20000)),
        Case('rule', 'with a rule that changes the model', 'µs/request', ('ratio', 2.3),
             lambda b: cpu_case(b, 'rule', chat('gpt-other'), small, 20000, target='rule')),
        Case('convert', 'Anthropic client, OpenAI upstream', 'µs/request', ('ratio', 5.0),
             lambda b: cpu_case(b, 'convert', messages('gpt-bench'), small, 10000)),
        Case('event', 'relayed stream event', 'µs/event', ('ratio', 1.5),
             lambda b: cpu_case(b, 'event', stream, stream, 96, per=400)),
        Case('event-convert', 'converted stream event', 'µs/event', ('ratio', 2.0),
             lambda b: cpu_case(b, 'event-convert', messages_stream(400), stream, 96,
                                per=400)),
        Case('pairs', 'converted request, worst of 20 pairs', 'µs/request', ('ratio', 5.0),
             lambda b: pairs_case(b, 'pairs', small, 800, turns=3)),
        Case('pairs-event', 'converted stream event, worst of 20 pairs', 'µs/event',
             ('ratio', 2.0), lambda b: pairs_case(b, 'pairs-event', stream, 32, per=400, turns=3)),
        Case('pairs-200k', 'conversation of 200 KB against cJSON, worst of 20 pairs', 'µs',
             ('ratio', 3.0), large_case),
        Case('linear', 'relayed events: long streams against short', 'long/short', ('ratio', 1.2),
             lambda b: linear_case(b, chat_stream)),
        Case('linear-convert', 'converted events: long streams against short', 'long/short',
             ('ratio', 1.2), lambda b: linear_case(b, messages_stream)),
        Case('first', 'added time to first event, 100 requests/s', 'µs', ('ratio', 1.5),
             first_case),
        Case('first-awake', 'the same while no processor sleeps', 'µs', None, awake_case),
        Case('body-200k', 'request of 200 KB', 'µs/request', ('ratio', 2.0),
             lambda b: body_case(b, 'body-200k', 200 * 1000, 2000)),
        Case('body-2m', 'request of 2 MB', 'µs/request', ('ratio', 2.0),
             lambda b: body_case(b, 'body-2m', 2000 * 1000, 200)),
        Case('mem-tls', 'RssAnon after a TLS transfer, one worker', 'MiB', ('proxima', 10),
             tls_case),
        Case('mem-stream-1k', 'each of 1,000 slow streams, requests of 1 KB', 'KiB',
             ('proxima', 40), lambda b: held_case(b, slow(900), 1000, plain, open=True)),
        Case('mem-stream-100k', 'each of 1,000 slow streams, requests of 100 KB', 'KiB',
             ('proxima', 40), lambda b: held_case(b, slow(100000), 1000, plain, open=True)),
        Case('mem-idle-tls', 'each of 1,000 idle TLS connections', 'KiB', ('proxima', 24),
             lambda b: held_case(b, small, 1000, secure, tls=True)),
    ]


def body_case(bench, name, size, requests):
    request = chat('gpt-bench', size=size)
    return cpu_case(bench, name, request, request, requests)
