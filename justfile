# Shortcuts for everyday work. Each is one command that you can also type yourself; the gate,
# .ci/run, does not use them.

set positional-arguments

# Lists these recipes.
default:
    @just --list

# Formats the code.
fmt:
    cargo fmt --all

# The gate's checks that need no test: format, documents, modules, clippy.
lint:
    cargo fmt --all --check
    .ci/check_readme
    .ci/check_modules
    cargo clippy --locked --all-targets -- -D warnings

# Runs the tests; `just test NAME` runs those whose path contains NAME.
test *ARGS:
    cargo test "$@"

# The whole gate, as CI runs it.
ci:
    .ci/run

# The long kill runs: KILLS kills each, where the suite has a few. Each says at its end how many
# kills, standstills, commands, links and doubles there were.
kills KILLS="2000":
    CONNECT_CARD_KILLS={{ KILLS }} cargo test --test it kills -- --nocapture --test-threads 1

# The first so many writes, syncs and reads of the database fail, each once and from then on.
io-errors CALLS="200":
    CONNECT_CARD_IO_ERRORS={{ CALLS }} cargo test --test it io_errors -- --nocapture

# A long day of so many MINUTES, with a kill in each, while nothing grows; a table of what there is.
soak MINUTES="60":
    CONNECT_CARD_SOAK={{ MINUTES }} cargo test --release --test it soak -- --nocapture

# A herd of commands through an outage of Fivetran's of so many seconds, with a table of rates.
herd HERD="8000" OUTAGE="300":
    CONNECT_CARD_HERD={{ HERD }} CONNECT_CARD_OUTAGE={{ OUTAGE }} cargo test --release --test it herd -- --nocapture --test-threads 1

# Everything that can be wrong with every answer of the partners'; `just matrix pairs` plays pairs of faults.
matrix WHICH="all":
    CONNECT_CARD_MATRIX={{ WHICH }} cargo test --test it matrix -- --nocapture --test-threads 1

# The long storm over sockets: so many COMMANDS, where the suite has two hundred.
sockets COMMANDS="10000":
    CONNECT_CARD_SOCKETS={{ COMMANDS }} cargo test --test it storm -- --nocapture --test-threads 1

# Hostile traffic: so many malformed REQUESTS, and a crowd of so many CONNECTIONS (`ulimit -n` permitting).
traffic REQUESTS="1000000" CONNECTIONS="10000":
    CONNECT_CARD_REQUESTS={{ REQUESTS }} CONNECT_CARD_CROWD={{ CONNECTIONS }} cargo test --test it traffic -- --nocapture --test-threads 1

# The long run of the simulator: SEEDS worlds, where the suite has a hundred thousand.
worlds SEEDS="10000000":
    CONNECT_CARD_SEEDS={{ SEEDS }} cargo test --release --lib simulation -- --nocapture

# Inputs that break something: a hundred thousand for each target; `just fuzz command 3600` has libFuzzer
# (`cargo install cargo-fuzz`) look for some for that one, for so many seconds.
fuzz TARGET="" SECONDS="60":
    {{ if TARGET == "" { "CONNECT_CARD_FUZZ=100000 nice cargo test -p connect-card -p fuzz --test replay" } else { "mkdir -p target/found/" + TARGET + " && cargo fuzz run --fuzz-dir fuzz/coverage --target-dir target/coverage -s none " + TARGET + " target/found/" + TARGET + " fuzz/corpus/" + TARGET + " -- -max_total_time=" + SECONDS + " -max_len=4096 -timeout=1" } }}

# Properties: so many CASES of each, and as many of the store against its model on both engines.
cases CASES="100000":
    CONNECT_CARD_CASES={{ CASES }} cargo test --test it store_model -- --nocapture
    CONNECT_CARD_CASES={{ CASES }} cargo test -p connect-card -p fuzz --test properties

# How soon customers are seen, and for how many calls, with so many CONNECTIONS in 50 destinations.
sweep CONNECTIONS="100000":
    CONNECT_CARD_SWEEP={{ CONNECTIONS }} cargo test --release --test it sweep -- --nocapture

# How long statements take with a thousand, a hundred thousand and a million ROWS, on both engines.
rows ROWS="1000000":
    CONNECT_CARD_ROWS={{ ROWS }} cargo test --release --test it plans -- --nocapture --test-threads 1

# Whether the library's tests notice small changes of the code: one SHARD of them, such as the first of fifty.
mutants SHARD="0/50":
    CONNECT_CARD_SEEDS=2000 cargo mutants --output target --shard {{ SHARD }}

# The bot against stand-ins for Slack and Fivetran; type commands, or `quit`.
sandbox *ARGS:
    cargo run -- sandbox "$@"

# Makes the README's pictures from the sandbox's page; `just pictures NAME` makes that one.
pictures *ARGS:
    cargo build
    test -x target/pictures/bin/python || python3 -m venv target/pictures
    target/pictures/bin/pip install --quiet --disable-pip-version-check playwright==1.65.2 pillow==13.0.0
    target/pictures/bin/python docs/pictures/make "$@"

# Plays the sandbox's page in a browser; `just page NAME` plays the stories whose names contain NAME.
page *ARGS:
    cargo build
    "${CARGO_TARGET_DIR:-target}/ci-tools/python/bin/python" .ci/check_page "$@"

# Every message and form that people can see, one JSON object a line.
gallery:
    cargo run -- sandbox --gallery

# Rewrites the golden files and the snapshots in the tests. Read the diff before you commit it.
golden:
    UPDATE_GOLDEN=1 cargo test gallery
    UPDATE_EXPECT=1 cargo test

# Builds and opens the documentation of every module.
docs:
    cargo doc --no-deps --document-private-items --open
