{{/* The pod: an init container that checks the configuration, and the monitor. */}}

{{- define "stackset-monitor.environment" -}}
{{- if gt (int .Values.shards) 1 }}
- name: POD_INDEX
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['apps.kubernetes.io/pod-index']
- name: STACKSET_MONITOR_SHARD
  value: $(POD_INDEX)/{{ .Values.shards }}
{{- end }}
{{- with .Values.env }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* A probe with a path and timings. With client certificates it only opens a TCP connection, as a kubelet has none. */ -}}
{{- define "stackset-monitor.probe" -}}
{{- if .root.Values.web.tls.clientAuth }}
tcpSocket:
  port: metrics
{{- else }}
httpGet:
  path: {{ .path }}
  port: metrics
  scheme: {{ include "stackset-monitor.scheme" .root }}
{{- end }}
{{ toYaml .timings }}
{{- end -}}

{{- define "stackset-monitor.container" -}}
image: {{ include "stackset-monitor.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
{{- with include "stackset-monitor.environment" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - name: configuration
    mountPath: /etc/stackset-monitor
    readOnly: true
  - name: state
    mountPath: {{ dir .Values.config.state.path }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "stackset-monitor.podSpec" -}}
{{- $fullname := include "stackset-monitor.fullname" . -}}
serviceAccountName: {{ include "stackset-monitor.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
initContainers:
  # Prints every problem of the configuration with its line.
  - name: check
    args: [check, --config, /etc/stackset-monitor/monitor.yaml]
    {{- include "stackset-monitor.container" . | nindent 4 }}
  {{- with .Values.extraInitContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
containers:
  - name: stackset-monitor
    args:
      - run
      - --config
      - /etc/stackset-monitor/monitor.yaml
      {{- with .Values.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    ports:
      - name: metrics
        containerPort: {{ include "stackset-monitor.port" . }}
        protocol: TCP
    startupProbe:
      {{- include "stackset-monitor.probe" (dict "root" . "path" "/livez" "timings" .Values.startupProbe) | trim | nindent 6 }}
    livenessProbe:
      {{- include "stackset-monitor.probe" (dict "root" . "path" "/livez" "timings" .Values.livenessProbe) | trim | nindent 6 }}
    readinessProbe:
      {{- include "stackset-monitor.probe" (dict "root" . "path" "/readyz" "timings" .Values.readinessProbe) | trim | nindent 6 }}
    {{- include "stackset-monitor.container" . | nindent 4 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  # One folder, so that configuration, web configuration and certificate are replaced together.
  - name: configuration
    projected:
      defaultMode: 0440
      sources:
        - {{ ternary "secret" "configMap" (eq .Values.configKind "Secret") }}:
            name: {{ $fullname }}
        {{- with .Values.web.tls.secretName }}
        - secret:
            name: {{ . }}
        {{- end }}
  {{- if not .Values.persistence.enabled }}
  - name: state
    emptyDir:
      sizeLimit: {{ .Values.persistence.emptyDirSizeLimit }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The port in config.web.listen. */ -}}
{{- define "stackset-monitor.port" -}}
{{- splitList ":" .Values.config.web.listen | last -}}
{{- end -}}
