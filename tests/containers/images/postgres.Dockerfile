FROM debian:trixie-slim
RUN groupadd --system --gid 999 postgres && \
    useradd --system --gid postgres --uid 999 --home-dir /var/lib/postgresql postgres && \
    apt-get update && \
    apt-get install --yes --no-install-recommends postgresql-17 && \
    rm -rf /var/lib/apt/lists/* /var/lib/postgresql/17 && \
    install --directory --owner postgres --group postgres --mode 1777 /var/lib/postgresql/data
ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/17/bin:/usr/bin:/bin
COPY --chmod=755 postgres.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
EXPOSE 5432
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
CMD ["postgres"]
