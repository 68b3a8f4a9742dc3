# SPDX-License-Identifier: MIT
# Plots of what ring_bench wrote: gnuplot -e "folder='out/bench'" bench/ring.gp
set terminal svg size 900,560 font "sans,13" noenhanced background "white"
set datafile separator "\t"
set logscale xy
set xtics (8, 64, 256, 1500, 16384)
set xrange [6:22000]
set grid ytics lc rgb "#dddddd"
set key left top
set xlabel "bytes per record"
do for [mode in "single batch latency"] {
    file = folder . "/ring-" . mode . ".tsv"
    columns = int(system("head -1 '" . file . "' | tr '\\t' '\\n' | wc -l"))
    set output folder . "/ring-" . mode . ".svg"
    set ylabel mode eq "latency" ? "ns, one way (median)" : "ns per record (median)"
    set title mode eq "latency" ? "A record there and back, halved" : \
        mode eq "batch" ? "Records in batches" : "Records published and released one by one"
    plot for [column=2:columns] file using 1:column with linespoints lw 2 pt 7 ps 0.6 title columnheader(column)
}
