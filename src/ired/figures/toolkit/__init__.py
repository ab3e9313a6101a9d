"""What figures are built from.

figure     a figure as a value
captions   the facts and the sentences that captions share
output     tables -> PDF, PNG and SVG
style      the visual language: colours, sizes, names of variants
axes, labels, rows, levels, bands, panels, splits    parts of pictures
"""
