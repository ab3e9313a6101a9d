"""What figures are built from.

figure     a figure as a value
captions   the facts and the sentences that captions share
output     tables -> PDF, PNG and SVG
style      the visual language: colours, marks, sizes
variants   the look and the name of each variant
sheet      the page: its size, its layout, its title
axes, powers, labels, rows, levels, bands, panels, splits    parts of pictures
"""
