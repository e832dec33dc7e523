{{/* A rule of alerts.yaml with the values of `alerts`. Empty if its alert is disabled. Arguments: root, rule. */}}

{{- define "stackset-monitor.rule" -}}
{{- $alerts := .root.Values.alerts -}}
{{- $expression := .rule.expr -}}
{{- /* alerts.yaml marks each threshold: `> 0.1 # alerts.outdatedShare`. */ -}}
{{- range $name, $value := pick $alerts "maxInstanceAlerts" "outdatedShare" "outdatedCount" "outdatedDays" "disappearedShare" "discoveryDropShare" "throttledShare" "overrunShare" -}}
{{- $expression = regexReplaceAll (printf "[0-9.]+(,?) +# alerts\\.%s\\b" $name) $expression (printf "%s${1}" (toJson $value)) -}}
{{- end -}}
{{- $change := dict -}}
{{- $rule := deepCopy .rule -}}
{{- if .rule.alert -}}
{{- $change = default (dict) (get (default (dict) $alerts.rules) .rule.alert) -}}
{{- $labels := mergeOverwrite (default (dict) $rule.labels) (default (dict) $alerts.ruleLabels) (default (dict) $change.labels) -}}
{{- $annotations := omit $rule.annotations "runbook_url" "monitor_url" -}}
{{- /* A monitor that is down cannot show a runbook: its alert has no monitor_url. */ -}}
{{- if $alerts.runbookUrl -}}
{{- $_ := set $annotations "runbook_url" (printf "%s/%s.md" (trimSuffix "/" $alerts.runbookUrl) $rule.alert) -}}
{{- else if and $alerts.monitorUrl $rule.annotations.monitor_url -}}
{{- $_ := set $annotations "runbook_url" (printf "%s/runbooks/%s" (trimSuffix "/" $alerts.monitorUrl) $rule.alert) -}}
{{- end -}}
{{- if and $alerts.monitorUrl $rule.annotations.monitor_url -}}
{{- $_ := set $annotations "monitor_url" (replace "https://stackset-monitor.example.com" (trimSuffix "/" $alerts.monitorUrl) $rule.annotations.monitor_url) -}}
{{- end -}}
{{- $rule = mergeOverwrite $rule (dict "labels" $labels) -}}
{{- $_ := set $rule "annotations" (mergeOverwrite $annotations (default (dict) $change.annotations)) -}}
{{- with $change.for }}{{ $_ := set $rule "for" . }}{{ end -}}
{{- with $change.keepFiringFor }}{{ $_ := set $rule "keep_firing_for" . }}{{ end -}}
{{- else -}}
{{- /* The recording rules hold the last value of what the monitor does not export any more. */ -}}
{{- $expression = replace "[1h]" (printf "[%s]" $alerts.hold) $expression -}}
{{- end -}}
{{- /* Without a monitor no series has a namespace. With one, routes of this namespace match the alert. */ -}}
{{- if or .root.Values.serviceMonitor.enabled .root.Values.podMonitor.enabled -}}
{{- $absent := printf "absent(stackset_monitor_build_info{namespace=%q})" (include "stackset-monitor.namespace" .root) -}}
{{- $expression = replace "absent(stackset_monitor_build_info)" $absent $expression -}}
{{- end -}}
{{- /* The job of a release has the name of its Service, which values can change. */ -}}
{{- $fullname := include "stackset-monitor.fullname" .root -}}
{{- if not (contains "stackset-monitor" $fullname) -}}
{{- $expression = replace `job=~".*stackset-monitor.*"` (printf `job=~".*stackset-monitor.*|.*%s.*"` $fullname) $expression -}}
{{- end -}}
{{- if ne false $change.enabled -}}
{{- toYaml (mergeOverwrite $rule (dict "expr" $expression)) -}}
{{- end -}}
{{- end -}}
