"""What `run` measures and what it measures with: processes, their processor time and memory."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

CLIENT_KEY = 'bench-client-key'
PATIENCE = 20

NGINX = '''
daemon off;
{user}
worker_processes 1;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 600;
  client_max_body_size 64m;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  tcp_nodelay on;
  upstream vendor {{
    server 127.0.0.1:{upstream};
    keepalive 64;
    keepalive_requests 100000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    location / {{
      proxy_pass http://vendor;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
      proxy_read_timeout 600;
    }}
  }}
}}
'''

RULE = '''px.on('request', { model = 'gpt-*', desc = 'one name for all' }, function(req)
  req.model = 'gpt-bench'
end)
'''


class Failure(Exception):
    """Something did not run; its words are for the person at the terminal."""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def raise_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def make_certificate(folder):
    """Writes a certificate for loopback, and a CA file of the system's CAs and this one."""
    cert, key, bundle = (os.path.join(folder, name) for name in ('cert.pem', 'key.pem', 'ca.pem'))
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
         '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext',
         'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', key, '-out', cert],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(bundle, 'w', encoding='ascii') as out:
        for path in ('/etc/ssl/certs/ca-certificates.crt', cert):
            if os.path.exists(path):
                with open(path, encoding='ascii') as part:
                    out.write(part.read())
    return cert, key, bundle


class Process:
    """A child, on one processor, that is gone when `stop` returns."""

    def __init__(self, argv, cpu, log, **options):
        self.name = os.path.basename(argv[0])
        self.log = log
        pin = None if cpu is None else lambda: os.sched_setaffinity(0, {cpu})
        with open(log, 'ab') as err:
            self.child = subprocess.Popen(argv, stderr=err, preexec_fn=pin, **options)

    def pids(self):
        """The process and its children."""
        pid = self.child.pid
        with open(f'/proc/{pid}/task/{pid}/children', encoding='ascii') as children:
            return [pid] + [int(word) for word in children.read().split()]

    def cpu(self):
        """Nanoseconds of processor time, of all threads, user's and system's."""
        return sum(time.clock_gettime_ns((~pid << 3) | 2) for pid in self.pids())

    def anon(self):
        """Bytes of anonymous resident memory."""
        total = 0
        for pid in self.pids():
            with open(f'/proc/{pid}/status', encoding='ascii') as status:
                for line in status:
                    if line.startswith('RssAnon:'):
                        total += int(line.split()[1]) * 1024
        return total

    def check(self):
        if self.child.poll() is not None:
            raise Failure(f'{self.name} ended with {self.child.returncode}: {self.last_words()}')

    def last_words(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read()[-800:].strip() or 'it said nothing'

    def last_line(self):
        return self.last_words().split('\n')[-1]

    def stop(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()


class Spinner(Process):
    """Keeps a processor from sleeping, and yields it to whoever wants it."""

    def __init__(self, cpu, folder):
        code = ('import os\nos.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n'
                'while True: pass')
        super().__init__([sys.executable, '-c', code], cpu, f'{folder}/spinner.log')


class Upstream(Process):
    def __init__(self, tool, cpu, folder, gap_us, cert, key):
        argv = [tool, '--gap-us', str(gap_us), '--cert', cert, '--key', key]
        super().__init__(argv, cpu, f'{folder}/upstream.log', stdout=subprocess.PIPE, text=True)
        words = self.child.stdout.readline().split()
        if len(words) != 6:
            self.child.wait()
            self.check()
        self.port, self.tls_port, self.ack_port = (int(word) for word in words[1::2])


class Nginx(Process):
    def __init__(self, tool, cpu, folder, upstream, cert, key):
        self.port, self.tls_port = free_port(), free_port()
        prefix = os.path.join(folder, f'nginx-{self.port}')
        os.mkdir(prefix)
        conf = os.path.join(prefix, 'nginx.conf')
        with open(conf, 'w', encoding='ascii') as out:
            out.write(NGINX.format(
                dir=prefix, port=self.port, tls_port=self.tls_port, upstream=upstream.port,
                cert=cert, key=key, user='user root;' if os.geteuid() == 0 else ''))
        argv = [tool, '-p', prefix, '-c', conf, '-e', f'{prefix}/error.log']
        super().__init__(argv, cpu, f'{prefix}/error.log')
        wait_until(self, lambda: connects(self.port) and len(self.pids()) == 2)


class Proxima(Process):
    """The gateway, with a configuration of its own. `secure` puts TLS on both of its sides."""

    def __init__(self, tool, cpu, folder, upstream, rule=False, secure=None):
        self.port = self.tls_port = free_port()
        home = os.path.join(folder, f'proxima-{self.port}')
        os.makedirs(f'{home}/rules')
        if rule:
            with open(f'{home}/rules/model.lua', 'w', encoding='ascii') as out:
                out.write(RULE)
        scheme, port, listen = 'http', upstream.port, {'address': '127.0.0.1', 'port': self.port}
        openai, anthropic = {'type': 'openai'}, {'type': 'anthropic'}
        if secure:
            cert, key, bundle = secure
            scheme, port = 'https', upstream.tls_port
            listen['tls'] = {'cert_file': cert, 'key_file': key}
            openai['ca_file'] = anthropic['ca_file'] = bundle
        base = f'{scheme}://127.0.0.1:{port}'
        account = [{'name': 'bench', 'api_key': 'bench-upstream-key'}]
        conf = {
            'listen': [listen],
            'workers': 1,
            'data_dir': './data',
            'scripts': './',
            'clients': [{'name': 'bench', 'key': CLIENT_KEY}],
            'default_provider': 'openai-bench',
            'providers': {
                'openai-bench': {**openai, 'base_url': base + '/v1', 'accounts': account},
                'claude-bench': {**anthropic, 'base_url': base, 'accounts': account},
                'responses-bench': {**openai, 'type': 'responses', 'base_url': base + '/v1',
                                    'accounts': account},
                'gemini-bench': {**openai, 'type': 'gemini', 'base_url': base,
                                 'accounts': account},
                'ollama-bench': {**openai, 'type': 'ollama', 'base_url': base,
                                 'accounts': account},
            },
            'log': {'level': 'warn'},
        }
        path = os.path.join(home, 'proxima.json')
        with open(path, 'w', encoding='ascii') as out:
            json.dump(conf, out, indent=2)
        super().__init__([tool, 'serve', '-c', path], cpu, f'{home}/log',
                         stdout=subprocess.DEVNULL)
        wait_until(self, connects_tls(self.port) if secure else lambda: ready(self.port))


def connects(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def connects_tls(port):
    return lambda: connects(port)


def ready(port):
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/ready', timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until(process, holds):
    end = time.monotonic() + PATIENCE
    while not holds():
        process.check()
        if time.monotonic() > end:
            process.stop()
            raise Failure(f'{process.name} is not ready: {process.last_words()}')
        time.sleep(0.02)


class Load:
    """Runs the load generator."""

    def __init__(self, tool, cpu, folder, ack_port):
        self.ack_port = ack_port
        self.tool, self.cpu, self.folder = tool, cpu, folder
        self.bodies = {}

    def body(self, value):
        """Writes a request's body to a file, once."""
        text = json.dumps(value)
        if text not in self.bodies:
            path = os.path.join(self.folder, f'body-{len(self.bodies)}.json')
            with open(path, 'w', encoding='ascii') as out:
                out.write(text)
            self.bodies[text] = path
        return self.bodies[text]

    def argv(self, ports, request, **options):
        argv = [self.tool, '--path', request['path'], '--body', self.body(request['body']),
                '--header', f'Authorization: Bearer {CLIENT_KEY}']
        for port in ports:
            argv += ['--port', str(port)]
        for header in request.get('headers', ()):
            argv += ['--header', header]
        talks = request.get('acks') or options.get('busy')
        values = {'events': request.get('events'), 'end': request.get('end'), 'cpu': self.cpu,
                  'ack-port': self.ack_port if talks else None, **options}
        for name, value in values.items():
            if value is True:
                argv.append(f'--{name}')
            elif value not in (None, False):
                argv += [f'--{name}', str(value)]
        return argv

    def run(self, ports, request, **options):
        """Sends everything; one dictionary for each port."""
        done = subprocess.run(self.argv(ports, request, **options), capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Failure(first_line(done.stderr))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def hold(self, port, request, **options):
        """Opens connections and holds them. End them with `release`."""
        child = subprocess.Popen(self.argv([port], request, hold=True, **options), text=True,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        if child.stdout.readline() != 'ready\n':
            child.wait()
            raise Failure(first_line(child.stderr.read()))
        return child


def first_line(words):
    return words.strip().split('\n', maxsplit=1)[0]


def release(child):
    """Closes held connections."""
    _, words = child.communicate()
    if child.returncode:
        raise Failure(first_line(words))
