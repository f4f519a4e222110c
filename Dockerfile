# Built in one stage, run in another: no compiler, no shell tools beyond Debian's slim base, no root.
FROM rust:1-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ libclang-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ENV CARGO_TARGET_DIR=/target
RUN minor=$(rustc --version | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p'); \
    if [ "$minor" -lt 98 ]; then ignore=--ignore-rust-version; fi; \
    cargo build --release --locked $ignore -p relais && strip /target/release/relais

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 8025 --home-dir /var/lib/relais --create-home relais
COPY --from=build /target/release/relais /usr/bin/relais
COPY config/relais.toml /etc/relais/relais.toml
USER relais
VOLUME /var/lib/relais

EXPOSE 25 587 465 143 993 8080
HEALTHCHECK --interval=30s --timeout=5s CMD ["/usr/bin/relais", "health"]
ENTRYPOINT ["/usr/bin/relais"]
CMD ["serve", "--config", "/etc/relais/relais.toml"]
