# The front door. Each target installs the Debian packages that it takes and that are missing.
#
#   make          builds build/release/proxima
#   make run      and starts it with configs/proxima.json (more flags: make run ARGS='--port 8080')
#   make test     runs every test (some of them: make test STAGES='lint unit'; see tests/run)
#   make bench    measures the gateway against nginx (flags for tests/bench/run: ARGS=--quick)

RELEASE = build/release
NEW_NODE = $(shell node -p 'parseInt(process.versions.node) >= 20' 2>/dev/null)

.PHONY: all run test bench clean

all:
	@tools/install build
	@test -f $(RELEASE)/build.ninja || cmake --preset release
	cmake --build $(RELEASE) --target proxima

run: all
	@exec $(RELEASE)/proxima serve $(ARGS)

test:
	@tools/install build test $(if $(filter true,$(NEW_NODE)),,node)
	@exec tests/run $(STAGES)

bench:
	@tools/install build bench
	@cmake --preset release -DPX_BENCH=ON
	cmake --build $(RELEASE)
	@exec tests/bench/run $(ARGS)

clean:
	rm -rf build
