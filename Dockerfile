# syntax=docker/dockerfile:1

# docker build .                                   compiles the program and makes the image
# docker build --target program --output dist .    compiles it and writes dist/ARCHITECTURE/connect-card
# docker buildx build --build-context program=dist .
#                                                  makes the image of the programs in dist
#
# A release takes the second way on a machine of each architecture, then the third way once for both,
# so nothing is compiled in emulation, and what it offers is what anyone gets by the first.

# With Alpine's musl the program is linked statically. It needs nothing of the system that it runs on,
# so there is one build for every Linux, old, new or Alpine, and no old glibc to keep a machine for.
FROM rust:1.95-alpine AS build
WORKDIR /build

# The dependencies get a layer of their own, built around empty crates in place of ours. It stays
# cached until a Cargo.toml or Cargo.lock changes.
COPY .cargo .cargo
COPY Cargo.toml Cargo.lock build.rs ./
COPY stand-ins/Cargo.toml stand-ins/
COPY benches/Cargo.toml benches/
COPY fuzz/Cargo.toml fuzz/
RUN mkdir src stand-ins/src fuzz/src \
    && echo 'fn main() {}' > src/main.rs \
    && touch src/lib.rs stand-ins/src/lib.rs fuzz/src/lib.rs benches/samples.rs benches/steps.rs \
    && cargo build --release --locked \
    && rm -r src stand-ins/src

COPY manifest.yml ./
COPY migrations migrations
COPY stand-ins stand-ins
COPY src src
# COPY keeps the files' own dates, which may be older than those of the empty crates. Without the
# touch, cargo would see nothing to rebuild.
RUN touch src/main.rs src/lib.rs stand-ins/src/lib.rs \
    && cargo build --release --locked

# What the third way above puts a folder in the place of.
FROM scratch AS program
ARG TARGETARCH
COPY --from=build /build/target/release/connect-card /${TARGETARCH}/connect-card

# CA certificates, an unprivileged user, no libc, shell or package manager: 2 MB. By its
# tag, not by a digest: a digest that nobody renews would keep old certificates, while the image that
# a release makes is known by its own digest and attestation.
FROM gcr.io/distroless/static-debian13:nonroot AS base

# Only COPY from here on, since RUN would need emulation for the other architecture.
FROM base
ARG TARGETARCH
COPY --from=program --chmod=755 /${TARGETARCH}/connect-card /usr/local/bin/connect-card
# An empty folder that belongs to the user: a new volume takes its owner from it.
COPY --from=base --chown=65532:65532 /home/nonroot /data
VOLUME /data
# What a relative path, such as CONFIG's, begins at. The base has another folder.
WORKDIR /
ENV HOST=0.0.0.0 PORT=3000 DATABASE_URL=sqlite:/data/connect-card.db
EXPOSE 3000
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
# The program asks its own /readyz, at HOST and PORT. Kubernetes ignores this and has probes of its own.
# The first time is after one interval, and Compose waits for it; not every engine knows another one
# for the start.
HEALTHCHECK --interval=5s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/connect-card", "check", "--ready"]
ENTRYPOINT ["/usr/local/bin/connect-card"]
CMD ["serve"]
