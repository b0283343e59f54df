# Removes the agent in $Directory, or what is left of it; what it is known by goes last, so that this can be done again.
param([string]$Directory, [string]$Proof)
$ErrorActionPreference = 'Stop'
$name = 'Dispatcher agent'
function Test-Ours([string]$Place) {  # a directory that was made so: marked, or empty still; no link to another one
    $item = Get-Item -LiteralPath $Place -Force -ErrorAction SilentlyContinue
    if (-not $item -or -not $item.PSIsContainer -or ($item.Attributes -band [IO.FileAttributes]::ReparsePoint)) { return $false }
    (Test-Path -LiteralPath (Join-Path $Place 'agent.json') -PathType Leaf) -or
        -not (Get-ChildItem -LiteralPath $Place -Force | Select-Object -First 1)
}
function Remove-Place([string]$Place) {  # what it is known by goes last, so that this can be done again
    if (-not (Test-Ours $Place)) { return }
    Get-ChildItem -LiteralPath $Place -Force | Where-Object { $_.Name -ne 'agent.json' } | Remove-Item -Recurse -Force
    Remove-Item -LiteralPath $Place -Recurse -Force
}
$marker = Join-Path $Directory 'agent.json'
if ((Test-Ours $Directory) -and (Test-Path -LiteralPath $marker)) {
    $noted = Get-Content -LiteralPath $marker -Raw | ConvertFrom-Json
    $going = @{ agent_id = [string]$noted.agent_id; proof = $Proof; is_going = $true } | ConvertTo-Json -Compress
    Set-Content -LiteralPath $marker -Value $going -Encoding ASCII
    $task = Get-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
    if ($task) { Stop-ScheduledTask -TaskName $name; Unregister-ScheduledTask -TaskName $name -Confirm:$false }
    $prefix = (Join-Path $Directory 'program') + '\'
    Get-CimInstance Win32_Process |
        Where-Object { $_.ExecutablePath -and $_.ExecutablePath.StartsWith($prefix, 'OrdinalIgnoreCase') -or
            $_.CommandLine -and $_.CommandLine.IndexOf($prefix, [StringComparison]::OrdinalIgnoreCase) -ge 0 } |
        ForEach-Object { & taskkill.exe /T /F /PID $_.ProcessId 2>&1 | Out-Null }
    Remove-Place $Directory
}
Remove-Place "$Directory.new"
Remove-Place "$Directory.old"
@{ done = $true } | ConvertTo-Json -Compress
