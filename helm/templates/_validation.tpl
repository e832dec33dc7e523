{{/* Checks that the JSON Schema cannot express. Each message names the value and what to do. */}}

{{- define "stackset-monitor.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 "w" 604800000 "y" 31536000000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|[smhdwy])" . -1 -}}
{{- $sum = add $sum (mul (regexFind "[0-9]+" . | int64) (get $units (regexFind "[a-z]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- define "stackset-monitor.validate" -}}
{{- include "stackset-monitor.validateNames" . -}}
{{- include "stackset-monitor.validateConfiguration" . -}}
{{- include "stackset-monitor.validateWeb" . -}}
{{- include "stackset-monitor.validateImmutable" . -}}
{{- range $kind := list "serviceMonitor" "podMonitor" -}}
{{- include "stackset-monitor.validateMonitor" (dict "root" $ "kind" $kind "monitor" (get $.Values $kind)) -}}
{{- end -}}
{{- /* Alerts hold values by rules that read their own last result, which Prometheus finds for five minutes. */ -}}
{{- with .Values.prometheusRule.interval -}}
{{- if gt (include "stackset-monitor.milliseconds" . | int64) 240000 -}}
{{- fail (printf "prometheusRule.interval: %s is longer than 4m. The alerts would then resolve when one scrape is missed; use 4m or less" .) -}}
{{- end -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if gt (int .Values.shards) 1 -}}
{{- fail (printf "replicas: %d replicas and %d shards cannot be combined; set shards to 1 and config.cluster.shards to the number of parts" (int .Values.replicas) (int .Values.shards)) -}}
{{- end -}}
{{- if and (not (include "stackset-monitor.hasExistingConfig" .)) (not (default (dict) (default (dict) .Values.config).state).dynamodb) -}}
{{- fail (printf "replicas: %d replicas need a shared state; set config.state.dynamodb, or use shards to split the products across pods" (int .Values.replicas)) -}}
{{- end -}}
{{- end -}}
{{- if and (include "stackset-monitor.shared" .) (gt (int .Values.shards) 1) -}}
{{- fail "shards: with config.state.dynamodb the replicas divide the products; set shards to 1, and replicas and config.cluster.shards instead" -}}
{{- end -}}
{{- if and .Values.persistence.existingClaim (gt (int .Values.shards) 1) -}}
{{- fail (printf "persistence.existingClaim: one volume cannot hold the state of %d shards; leave it empty or set shards to 1" (int .Values.shards)) -}}
{{- end -}}
{{- end -}}

{{- /* Keys of earlier versions or of other charts, and labels that the chart needs. */ -}}
{{- define "stackset-monitor.validateNames" -}}
{{- if hasKey .Values "env" -}}
{{- fail "env was renamed: use extraEnv" -}}
{{- end -}}
{{- if hasKey .Values "replicaCount" -}}
{{- fail "replicaCount is not a value of this chart: use replicas, which share a table of DynamoDB, or shards, which splits the products across pods" -}}
{{- end -}}
{{- range $key := list "enabled" "labels" "annotations" "namespace" "interval" -}}
{{- if hasKey $.Values.alerts $key -}}
{{- fail (printf "alerts.%s was renamed: use prometheusRule.%s" $key $key) -}}
{{- end -}}
{{- end -}}
{{- range $map := list "commonLabels" "podLabels" -}}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" -}}
{{- if hasKey (default (dict) (get $.Values $map)) $key -}}
{{- fail (printf "%s: %s selects the pods of the release and cannot be changed; remove it" $map $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is required, because there is no public image: build the image, push it to your registry and set its repository, for example 111122223333.dkr.ecr.eu-west-1.amazonaws.com/stackset-monitor" -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if regexMatch "^--(config|listen|shard)(=|$)" . -}}
{{- fail (printf "extraArgs: the chart sets %s from config, config.web.listen and shards; remove it" (splitList "=" . | first)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.validateConfiguration" -}}
{{- $config := default (dict) .Values.config -}}
{{- $listen := include "stackset-monitor.listen" . -}}
{{- if not (has (regexReplaceAll ":[0-9]+$" $listen "") (list "" "0.0.0.0" "[::]")) -}}
{{- fail (printf "config.web.listen: probes and Prometheus cannot reach %q; use :9935 for all addresses of the pod" $listen) -}}
{{- end -}}
{{- $port := include "stackset-monitor.port" . | int -}}
{{- if or (lt $port 1) (gt $port 65535) -}}
{{- fail (printf "config.web.listen: %q has no usable port; use a port from 1 to 65535, for example :9935" $listen) -}}
{{- end -}}
{{- $folder := include "stackset-monitor.stateFolder" . -}}
{{- with (default (dict) $config.state).path -}}
{{- $path := ternary (clean .) (clean (printf "%s/%s" $folder .)) (isAbs .) -}}
{{- if not (hasPrefix (printf "%s/" $folder) $path) -}}
{{- fail (printf "config.state.path: %q is not on the volume, which is mounted at %s; use %s/monitor.db" . $folder $folder) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.existingSecret -}}
{{- fail "existingConfigMap and existingSecret are both set: remove one, because both would provide monitor.yaml" -}}
{{- end -}}
{{- if include "stackset-monitor.hasExistingConfig" . -}}
{{- if or $config.products $config.sources -}}
{{- fail (printf "config.products and config.sources are not used, because monitor.yaml comes from %q: remove them" (default .Values.existingConfigMap .Values.existingSecret)) -}}
{{- end -}}
{{- end -}}
{{- if and (include "stackset-monitor.hasWebConfig" .) (default (dict) $config.web).config_file -}}
{{- fail "config.web.config_file cannot be used with web.tls, web.basicAuthUsers or web.existingSecret, from which the chart makes that file" -}}
{{- end -}}
{{- if eq .Values.configKind "ConfigMap" -}}
{{- range default list $config.sources -}}
{{- if .external_id -}}
{{- fail (printf "config.sources: %s has an external_id, which is a secret: set configKind to Secret, or use external_id_file and extraConfigFiles" .name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.web.basicAuthUsers -}}
{{- fail "web.basicAuthUsers contains password hashes: set configKind to Secret, or use web.existingSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "stackset-monitor.validateWeb" -}}
{{- if and .Values.web.tls.clientAuth (not .Values.web.tls.secretName) -}}
{{- fail "web.tls.clientAuth needs web.tls.secretName, because client certificates need TLS" -}}
{{- end -}}
{{- if and .Values.web.existingSecret .Values.web.basicAuthUsers -}}
{{- fail "web.existingSecret and web.basicAuthUsers are both set: move the users to the web.yml of the Secret" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor are both enabled, so each pod would be scraped twice: disable one" -}}
{{- end -}}
{{- end -}}

{{- /* What would let every scrape fail, or the operator refuse the object. */ -}}
{{- define "stackset-monitor.validateMonitor" -}}
{{- $monitor := .monitor -}}
{{- if $monitor.enabled -}}
{{- if and $monitor.interval $monitor.scrapeTimeout -}}
{{- if gt (include "stackset-monitor.milliseconds" $monitor.scrapeTimeout | int64) (include "stackset-monitor.milliseconds" $monitor.interval | int64) -}}
{{- fail (printf "%s.scrapeTimeout: %s is longer than the interval %s, which the Prometheus Operator refuses" .kind $monitor.scrapeTimeout $monitor.interval) -}}
{{- end -}}
{{- end -}}
{{- $tls := default (dict) $monitor.tlsConfig -}}
{{- if and .root.Values.web.tls.clientAuth (not (and $tls.cert $tls.keySecret)) -}}
{{- fail (printf "%s.tlsConfig: web.tls.clientAuth requires a client certificate for the scrape; set cert and keySecret" .kind) -}}
{{- end -}}
{{- if and .root.Values.web.basicAuthUsers (not $monitor.basicAuth) -}}
{{- fail (printf "%s.basicAuth: web.basicAuthUsers requires a password for the scrape; set username and password to keys of a Secret" .kind) -}}
{{- end -}}
{{- if and $tls (not .root.Values.web.tls.secretName) -}}
{{- fail (printf "%s.tlsConfig is set, but the pods do not use TLS: set web.tls.secretName" .kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
