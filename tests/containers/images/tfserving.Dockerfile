FROM sightline:latest
COPY tfserving.py /opt/tfserving.py
EXPOSE 8500 8501
ENTRYPOINT ["tini", "--", "python", "/opt/tfserving.py"]
CMD []
HEALTHCHECK NONE
