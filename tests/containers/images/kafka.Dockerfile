FROM debian:bookworm-slim
RUN apt-get update && \
    apt-get install --yes --no-install-recommends openjdk-17-jre-headless && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --uid 1000 --create-home appuser && \
    install --directory --owner appuser --group root --mode 775 /var/lib/kafka/data
COPY jars /opt/kafka/libs
COPY --chmod=755 kafka.sh /etc/kafka/docker/run
USER appuser
VOLUME /var/lib/kafka/data
EXPOSE 9092
CMD ["/etc/kafka/docker/run"]
