{{/*
The dashboard, with links to the addresses of `alerts`. A link without its address is removed; a test checks that what remains
is valid JSON for each combination.
*/}}

{{- define "stackset-monitor.dashboard" -}}
{{- $dashboard := .Files.Get "dashboards/stackset-monitor.json" -}}
{{- $runbooksOfFile := "https://runbooks.example.com/stackset-monitor/" -}}
{{- $pagesOfFile := "https://stackset-monitor.example.com/" -}}
{{- $link := `\{[^{}]*"url": "%s[^"]*"[^{}]*\},?` -}}
{{- if .Values.alerts.runbookUrl -}}
{{- $runbooks := printf "%s/" (trimSuffix "/" .Values.alerts.runbookUrl) -}}
{{- $dashboard = regexReplaceAll (printf `%s([^"]+)` (regexQuoteMeta $runbooksOfFile)) $dashboard (printf "%s${1}.md" $runbooks) -}}
{{- $dashboard = replace $runbooksOfFile $runbooks $dashboard -}}
{{- else -}}
{{- $dashboard = regexReplaceAll (printf $link (regexQuoteMeta $runbooksOfFile)) $dashboard "" -}}
{{- end -}}
{{- if .Values.alerts.monitorUrl -}}
{{- $dashboard = replace $pagesOfFile (printf "%s/" (trimSuffix "/" .Values.alerts.monitorUrl)) $dashboard -}}
{{- else -}}
{{- $dashboard = regexReplaceAll (printf $link (regexQuoteMeta $pagesOfFile)) $dashboard "" -}}
{{- end -}}
{{- $dashboard -}}
{{- end -}}
