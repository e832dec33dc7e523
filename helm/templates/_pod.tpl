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
{{- with .Values.extraEnv }}
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
{{- with .timings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* What each container of the image has. */ -}}
{{- define "stackset-monitor.imageAndLimits" -}}
image: {{ include "stackset-monitor.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "stackset-monitor.container" -}}
{{ include "stackset-monitor.imageAndLimits" . }}
{{- with include "stackset-monitor.environment" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
{{- with .Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
# Relative paths of the configuration are on the volume.
workingDir: {{ include "stackset-monitor.stateFolder" . }}
volumeMounts:
  - name: configuration
    mountPath: /etc/stackset-monitor
    readOnly: true
  - name: state
    mountPath: {{ include "stackset-monitor.stateFolder" . }}
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* The init container, and the container of the Job: it prints every problem of the configuration with its line. */ -}}
{{- define "stackset-monitor.checkContainer" -}}
name: check
args: [check, --config, /etc/stackset-monitor/monitor.yaml]
{{ include "stackset-monitor.container" . }}
{{- end -}}

{{- /* One folder, so that configuration, web configuration and certificate are replaced together. */ -}}
{{- define "stackset-monitor.configurationVolume" -}}
{{- $values := .root.Values -}}
{{- $sources := list -}}
{{- if include "stackset-monitor.hasConfiguration" .root -}}
{{- $sources = append $sources (dict (ternary "secret" "configMap" (eq $values.configKind "Secret")) (dict "name" .name)) -}}
{{- end -}}
{{- with $values.existingConfigMap -}}
{{- $sources = append $sources (dict "configMap" (dict "name" .)) -}}
{{- end -}}
{{- with $values.existingSecret -}}
{{- $sources = append $sources (dict "secret" (dict "name" .)) -}}
{{- end -}}
{{- with $values.web.existingSecret -}}
{{- $sources = append $sources (dict "secret" (dict "name" .)) -}}
{{- end -}}
{{- with $values.web.tls.secretName -}}
{{- $sources = append $sources (dict "secret" (dict "name" .)) -}}
{{- end -}}
name: configuration
projected:
  defaultMode: 0440
  sources:
    {{- toYaml (concat $sources (default list $values.extraConfigFiles)) | nindent 4 }}
{{- end -}}

{{- define "stackset-monitor.emptyState" -}}
name: state
emptyDir:
  {{- if .Values.persistence.emptyDirSizeLimit }}
  sizeLimit: {{ .Values.persistence.emptyDirSizeLimit | quote }}
  {{- else }} {}
  {{- end }}
{{- end -}}

{{- /* Where and how pods run: the pods of the monitor, of `helm test` and of the pre-upgrade check. */ -}}
{{- define "stackset-monitor.placement" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "stackset-monitor.imagePullSecrets" . }}
{{ . }}
{{- end }}
{{- range $key := list "priorityClassName" "runtimeClassName" "dnsPolicy" }}
{{- with get $.Values $key }}
{{ $key }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "dnsConfig" "hostAliases" }}
{{- with get $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Not empty if the state is in a table: then the pods need no volume and no name of their own. */ -}}
{{- define "stackset-monitor.shared" -}}
{{- if or (default (dict) (default (dict) .Values.config).state).dynamodb (gt (int .Values.replicas) 1) -}}
true
{{- end -}}
{{- end -}}

{{- /* Shards and replicas prefer different nodes and zones, so that the loss of one does not stop them all. */ -}}
{{- define "stackset-monitor.spread" -}}
{{- $selector := dict "matchLabels" (include "stackset-monitor.selectorLabels" . | fromYaml) -}}
{{- $affinity := .Values.affinity -}}
{{- $topology := .Values.topologySpreadConstraints -}}
{{- if gt (max (int .Values.shards) (int .Values.replicas)) 1 -}}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $selector -}}
{{- $affinity = default (dict "podAntiAffinity" (dict "preferredDuringSchedulingIgnoredDuringExecution" (list (dict "weight" 100 "podAffinityTerm" $term)))) $affinity -}}
{{- $topology = default (list (dict "maxSkew" 1 "topologyKey" "topology.kubernetes.io/zone" "whenUnsatisfiable" "ScheduleAnyway" "labelSelector" $selector)) $topology -}}
{{- end -}}
{{- with $affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $topology }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "stackset-monitor.podSpec" -}}
serviceAccountName: {{ include "stackset-monitor.serviceAccountName" . | quote }}
{{ include "stackset-monitor.placement" . }}
{{- with include "stackset-monitor.spread" . | trim }}
{{ . }}
{{- end }}
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
initContainers:
  - {{ include "stackset-monitor.checkContainer" . | nindent 4 | trim }}
  {{- with .Values.extraInitContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
containers:
  - name: stackset-monitor
    args:
      - run
      - --config
      - /etc/stackset-monitor/monitor.yaml
      {{- if include "stackset-monitor.hasExistingConfig" . }}
      # The file is not known here, and the probes need the port.
      - --listen
      - {{ include "stackset-monitor.listen" . | quote }}
      {{- end }}
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
    {{- with .Values.lifecycle }}
    lifecycle:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- include "stackset-monitor.container" . | nindent 4 }}
  {{- with .Values.extraContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - {{ include "stackset-monitor.configurationVolume" (dict "root" . "name" (include "stackset-monitor.fullname" .)) | nindent 4 | trim }}
  {{- if or (include "stackset-monitor.shared" .) (not .Values.persistence.enabled) }}
  - {{ include "stackset-monitor.emptyState" . | nindent 4 | trim }}
  {{- else if .Values.persistence.existingClaim }}
  - name: state
    persistentVolumeClaim:
      claimName: {{ .Values.persistence.existingClaim | quote }}
  {{- end }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* The template of the claims for the state; empty if there is none. */ -}}
{{- define "stackset-monitor.claim" -}}
{{- if and .Values.persistence.enabled (not .Values.persistence.existingClaim) (not (include "stackset-monitor.shared" .)) -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: state
  # Kubernetes does not allow changes here, so these labels must never change.
  labels:
    {{- include "stackset-monitor.selectorLabels" . | nindent 4 }}
  {{- with .Values.persistence.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  accessModes:
    {{- toYaml .Values.persistence.accessModes | nindent 4 }}
  {{- with .Values.persistence.storageClassName }}
  storageClassName: {{ . | quote }}
  {{- end }}
  resources:
    requests:
      storage: {{ .Values.persistence.size | quote }}
{{- end -}}
{{- end -}}
