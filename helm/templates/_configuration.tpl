{{/* The configuration files: monitor.yaml from `config`, and web.yml if values enable TLS or users. */}}

{{- define "stackset-monitor.hasWebConfig" -}}
{{- if or .Values.web.tls.secretName .Values.web.basicAuthUsers -}}true{{- end -}}
{{- end -}}

{{- define "stackset-monitor.monitor.yaml" -}}
{{- $config := deepCopy .Values.config -}}
{{- if include "stackset-monitor.hasWebConfig" . -}}
{{- if dig "web" "config_file" "" $config -}}
{{- fail "config.web.config_file cannot be used with web.tls or web.basicAuthUsers, from which the chart makes that file" -}}
{{- end -}}
{{- $_ := set $config "web" (merge (dict "config_file" "web.yml") (default (dict) $config.web)) -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- define "stackset-monitor.web.yml" -}}
{{- $web := dict -}}
{{- with .Values.web.tls -}}
{{- if .secretName -}}
{{- $tls := dict "cert_file" "tls.crt" "key_file" "tls.key" -}}
{{- if .clientAuth -}}
{{- $tls = merge $tls (dict "client_auth_type" "RequireAndVerifyClientCert" "client_ca_file" "ca.crt") -}}
{{- end -}}
{{- $_ := set $web "tls_server_config" $tls -}}
{{- end -}}
{{- end -}}
{{- with .Values.web.basicAuthUsers -}}
{{- $_ := set $web "basic_auth_users" . -}}
{{- end -}}
{{- toYaml $web -}}
{{- end -}}

{{- /* Checksum of the keys that need a restart. The monitor applies all others while it runs. */ -}}
{{- define "stackset-monitor.restartChecksum" -}}
{{- $config := .Values.config -}}
{{- $poll := pick (default (dict) $config.poll) "concurrency" -}}
{{- $web := include "stackset-monitor.hasWebConfig" . -}}
{{- list $poll (default (dict) $config.state) (default (dict) $config.web) (default (dict) $config.log) $web | toJson | sha256sum -}}
{{- end -}}
