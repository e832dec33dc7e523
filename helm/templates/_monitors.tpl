{{/* The endpoint of a ServiceMonitor or PodMonitor. */}}

{{- define "stackset-monitor.endpoint" -}}
{{- $monitor := .monitor -}}
port: metrics
path: /metrics
# Keep the labels account and region of the stack instance.
honorLabels: true
{{- with $monitor.interval }}
interval: {{ . }}
{{- end }}
{{- with $monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
{{- if .root.Values.web.tls.secretName }}
scheme: https
tlsConfig:
  {{- /* Prometheus scrapes the address of the pod, which is not in a certificate. */ -}}
  {{- $server := printf "%s.%s.svc" (include "stackset-monitor.fullname" .root) (include "stackset-monitor.namespace" .root) -}}
  {{- $tls := default (dict) $monitor.tlsConfig -}}
  {{- toYaml (ternary $tls (merge (dict) $tls (dict "serverName" $server)) (eq true $tls.insecureSkipVerify)) | nindent 2 }}
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

{{- /* What both kinds have beside their endpoints. */ -}}
{{- define "stackset-monitor.monitorSpec" -}}
selector:
  matchLabels:
    {{- include "stackset-monitor.selectorLabels" .root | nindent 4 }}
namespaceSelector:
  matchNames: [{{ include "stackset-monitor.namespace" .root | quote }}]
{{- range $key := list "jobLabel" "targetLabels" "podTargetLabels" "sampleLimit" }}
{{- with get $.monitor $key }}
{{ $key }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end -}}
