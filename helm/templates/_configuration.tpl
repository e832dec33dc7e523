{{/* The configuration files: monitor.yaml from `config`, and web.yml if values enable TLS or users. */}}

{{- /* "true" if the chart renders web.yml or mounts that of web.existingSecret. */ -}}
{{- define "stackset-monitor.hasWebConfig" -}}
{{- if or .Values.web.tls.secretName .Values.web.basicAuthUsers .Values.web.existingSecret -}}true{{- end -}}
{{- end -}}

{{- /* "true" if monitor.yaml is in an object that the chart does not create. */ -}}
{{- define "stackset-monitor.hasExistingConfig" -}}
{{- if or .Values.existingConfigMap .Values.existingSecret -}}true{{- end -}}
{{- end -}}

{{- /*
YAML in which each text is quoted, because toYaml leaves some unquoted that another parser reads as a number, a time or a
boolean, and breaks texts with special line separators.
*/ -}}
{{- define "stackset-monitor.quotedYaml" -}}
{{- if and (kindIs "map" .) . -}}
{{- range $key, $value := . }}
{{ ternary $key (toRawJson $key) (regexMatch "^(id|web|log|name|names|path|poll|state|tags|[a-z]+_[a-z_]+|[a-z]{6,})$" $key) }}:{{ include "stackset-monitor.quotedValue" $value }}
{{- end -}}
{{- else if and (kindIs "slice" .) . -}}
{{- range . }}
- {{ include "stackset-monitor.quotedYaml" . | trim | nindent 2 | trim }}
{{- end -}}
{{- else -}}
{{ toRawJson . }}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.quotedValue" -}}
{{- if and (or (kindIs "map" .) (kindIs "slice" .)) . -}}
{{- include "stackset-monitor.quotedYaml" . | trim | nindent 2 -}}
{{- else -}}
{{ " " }}{{ toRawJson . }}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.monitor.yaml" -}}
{{- $config := deepCopy (default (dict) .Values.config) -}}
{{- if include "stackset-monitor.hasWebConfig" . -}}
{{- $_ := set $config "web" (merge (dict "config_file" "web.yml") (default (dict) $config.web)) -}}
{{- end -}}
{{- /* The default of the monitor is a relative path, which is on the volume too, but this is the path of the documents. */ -}}
{{- $state := default (dict) $config.state -}}
{{- if $state.dynamodb -}}
{{- $_ := set $config "state" (omit $state "path") -}}
{{- else if not $state.path -}}
{{- $_ := set $config "state" (merge (dict "path" (printf "%s/monitor.db" (include "stackset-monitor.stateFolder" .))) $state) -}}
{{- end -}}
{{- include "stackset-monitor.quotedYaml" $config | trim -}}
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
{{- include "stackset-monitor.quotedYaml" $web | trim -}}
{{- end -}}

{{- /* The keys of the ConfigMap or Secret with the configuration. */ -}}
{{- define "stackset-monitor.configurationData" -}}
{{ ternary "stringData" "data" (eq .Values.configKind "Secret") }}:
  {{- if not (include "stackset-monitor.hasExistingConfig" .) }}
  monitor.yaml: |
    {{- include "stackset-monitor.monitor.yaml" . | nindent 4 }}
  {{- end }}
  {{- if and (include "stackset-monitor.hasWebConfig" .) (not .Values.web.existingSecret) }}
  web.yml: |
    {{- include "stackset-monitor.web.yml" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{- /* "true" if there is a configuration file that the chart renders. */ -}}
{{- define "stackset-monitor.hasConfiguration" -}}
{{- if or (not (include "stackset-monitor.hasExistingConfig" .)) (and (include "stackset-monitor.hasWebConfig" .) (not .Values.web.existingSecret)) -}}true{{- end -}}
{{- end -}}

{{- /*
Checksum of the keys that need a restart. The monitor applies all others while it runs. With `reload: false`, all keys.
*/ -}}
{{- define "stackset-monitor.restartChecksum" -}}
{{- $config := default (dict) .Values.config -}}
{{- $poll := pick (default (dict) $config.poll) "concurrency" -}}
{{- $web := include "stackset-monitor.hasWebConfig" . -}}
{{- $keys := list $poll (default (dict) $config.state) (default (dict) $config.web) (default (dict) $config.log) $web -}}
{{- with $config.cluster -}}
{{- $keys = append $keys . -}}
{{- end -}}
{{- if not .Values.reload -}}
{{- $keys = list $keys (include "stackset-monitor.configurationData" .) -}}
{{- end -}}
{{- $keys | toJson | sha256sum -}}
{{- end -}}

{{- /* The volume is always mounted here. It is the working directory of the image, so relative paths are on the volume. */ -}}
{{- define "stackset-monitor.stateFolder" -}}
/var/lib/stackset-monitor
{{- end -}}

{{- define "stackset-monitor.listen" -}}
{{- default ":9935" (default (dict) (default (dict) .Values.config).web).listen -}}
{{- end -}}

{{- /* The port in config.web.listen. */ -}}
{{- define "stackset-monitor.port" -}}
{{- splitList ":" (include "stackset-monitor.listen" .) | last -}}
{{- end -}}
