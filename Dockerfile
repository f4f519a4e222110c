# syntax=docker/dockerfile:1
# Built in one stage, run in another: no compiler, no shell tools beyond Debian's slim base, no root. README, "In a container".
#
# What cargo compiles is kept in a cache beside the layers, so that a change compiles what changed and never RocksDB again.
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ libclang-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/target,sharing=locked \
    minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p'); \
    if [ "$minor" -lt 98 ]; then ignore=--ignore-rust-version; fi; \
    CARGO_TARGET_DIR=/target cargo build --release --locked $ignore -p relais \
    && strip -o /relais /target/release/relais

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 8025 --home-dir /var/lib/relais --no-create-home relais \
    && install -d -o relais -g relais -m 0700 /var/lib/relais
COPY --from=build /relais /usr/bin/relais
# Configuration and store are in one volume, which `relais init` fills; the image brings no file that would be in its way.
ENV RELAIS_CONFIG=/var/lib/relais/relais.toml
USER relais
VOLUME /var/lib/relais

EXPOSE 25 587 465 143 993 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD ["/usr/bin/relais", "health"]
ENTRYPOINT ["/usr/bin/relais"]
CMD ["serve"]
