{{/* Parts of ServiceMonitor and PodMonitor. */}}

{{- define "stackset-monitor.endpoint" -}}
{{- $monitor := .monitor -}}
port: metrics
path: /metrics
# Keep the labels account and region of the stack instance.
honorLabels: true
interval: {{ $monitor.interval }}
scrapeTimeout: {{ $monitor.scrapeTimeout }}
{{- if .root.Values.web.tls.secretName }}
scheme: https
{{- end }}
{{- with $monitor.tlsConfig }}
tlsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.basicAuth }}
basicAuth:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.relabelings }}
relabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "stackset-monitor.monitorMetadata" -}}
name: {{ include "stackset-monitor.fullname" .root }}
namespace: {{ default .root.Release.Namespace .values.namespace }}
labels:
  {{- include "stackset-monitor.labels" .root | nindent 2 }}
  {{- with .values.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .values.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
