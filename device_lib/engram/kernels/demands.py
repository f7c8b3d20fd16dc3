"""The checks of every kernel's arguments for the backends written in Python: one row per kernel.

A row has a part for each argument, in the order of the arguments:

    out F B*M          buffer `out` of type F (engram_kernels.def has the letters), B * M elements
    x f n              of any number of elements, called n from here on
    K i 1              an int of at least 1
    geom l 14 geom     the word at the end names a function of conditions.py

    -> geom n          the check returns these: sizes, and arguments as it read them. Bytes may be
                       in the place of int32 numbers: a kernel takes its L and l from the check

Ints are checked first, then the arguments of EARLY, then the others, each in their order. A check
is a function of the kernel's arguments with the kernel's name: demands.dense_fwd(out, x, ...). It
raises ValueError or TypeError in the words of the C kernels, before anything is written.
"""

# not "from . import": MicroPython would ask the package's __getattr__, and no further
import engram.kernels.conditions as conditions

from .need import buffer, integer, is_float32, length

ROWS = {
    # dense
    "dense_fwd": "out F B*M, x f B*N, w f M*N, b o M, B i 0, N i 0, M i 0",
    "dense_bwd_dx": "dx F B*N, dout f B*M, w f M*N, B i 0, N i 0, M i 0",
    "dense_bwd_dw": "dw F M*N, db F M, dout f B*M, x f B*N, B i 0, N i 0, M i 0",
    # convolution
    "conv2d_fwd": "out F B*OH*OW*K, x f B*H*W*C, w f K*R*S*C, b o K, geom l 14 geom, B i 0 "
    "-> geom",
    "conv2d_bwd_dx": "dx F B*H*W*C, dout f B*OH*OW*K, w f K*R*S*C, geom l 14 geom, B i 0 -> geom",
    "conv2d_bwd_dw": "dw F K*R*S*C, db F K, dout f B*OH*OW*K, x f B*H*W*C, geom l 14 geom, B i 0 "
    "-> geom",
    # activations, pooling, loss
    "relu_fwd": "out F n, x f n -> n",
    "relu_bwd_dx": "dx F n, dout f n, out f n -> n",
    "global_avgpool_fwd": "out F B*C, x f B*P*C, B i 0, P i 1, C i 0",
    "global_avgpool_bwd_dx": "dx F B*P*C, dout f B*C, B i 0, P i 1, C i 0",
    "softmax_xent": "dlogits F B*K, stats F 2, logits f B*K, labels b B classes, B i 0, K i 1 "
    "-> labels",
    "softmax_fwd": "out F B*K, x f B*K, B i 0, K i 1",
    # update and upkeep
    "sgd_step": "p F n, v F n, g f n, hyper f 3 three_rates -> n",
    "sgd_plain": "p F n, g f n, hyper f 2 two_rates -> n",
    "zero_f32": "out F n -> n",
    "copy_f32": "out F n, x f n -> n",
    "check_finite": "x f n -> n",
    # between float32, uint8 and int8
    "quantize_s8": "out B n, x f n, qp f 2 qp -> qp n",
    "dequantize_s8": "out F n, x b n, qp f 2 qp -> qp n",
    "u8_to_s8": "out B n, x b n -> n",
    # the frozen int8 stage
    "conv2d_s8": "out B B*OH*OW*K, x b B*H*W*C, w b K*R*S*C, bias l K, mult l K, "
    "shift l K multipliers, geom l 14 geom, q l 4 q, B i 0 -> bias mult shift geom q",
    "depthwise_s8": "out B B*OH*OW*C, x b B*H*W*C, w b R*S*C, bias l C, mult l C, "
    "shift l C multipliers, geom l 14 channelwise, q l 4 q, B i 0 -> bias mult shift geom q",
    "dense_s8": "out B B*M, x b B*N, w b M*N, bias l M, mult l M, shift l M multipliers, q l 4 q, "
    "B i 0, N i 0, M i 0 -> bias mult shift q",
    "avgpool_s8": "out B B*OH*OW*C, x b B*H*W*C, geom l 14 channelwise, q l 4 q, B i 0 -> geom q",
    # depthwise and transposed convolution
    "depthwise_fwd": "out F B*OH*OW*C, x f B*H*W*C, w f R*S*C, b o C, geom l 14 channelwise, "
    "B i 0 -> geom",
    "depthwise_bwd_dx": "dx F B*H*W*C, dout f B*OH*OW*C, w f R*S*C, geom l 14 channelwise, B i 0 "
    "-> geom",
    "depthwise_bwd_dw": "dw F R*S*C, db F C, dout f B*OH*OW*C, x f B*H*W*C, "
    "geom l 14 channelwise, B i 0 -> geom",
    "conv2d_t_fwd": "out F B*H*W*C, x f B*OH*OW*K, w f K*R*S*C, b o C, geom l 14 geom, B i 0 "
    "-> geom",
    "conv2d_t_bwd_dx": "dx F B*OH*OW*K, dout f B*H*W*C, w f K*R*S*C, geom l 14 geom, B i 0 "
    "-> geom",
    "conv2d_t_bwd_dw": "dw F K*R*S*C, db F C, dout f B*H*W*C, x f B*OH*OW*K, geom l 14 geom, "
    "B i 0 -> geom",
    # pools
    "maxpool_fwd": "out F B*OH*OW*C, x f B*H*W*C, geom l 14 channelwise, B i 0 -> geom",
    "maxpool_bwd_dx": "dx F B*H*W*C, dout f B*OH*OW*C, x f B*H*W*C, geom l 14 channelwise, B i 0 "
    "-> geom",
    "avgpool_fwd": "out F B*OH*OW*C, x f B*H*W*C, geom l 14 channelwise, B i 0 -> geom",
    "avgpool_bwd_dx": "dx F B*H*W*C, dout f B*OH*OW*C, geom l 14 channelwise, B i 0 -> geom",
    # element by element, channel by channel
    "relu6_fwd": "out F n, x f n -> n",
    "relu6_bwd_dx": "dx F n, dout f n, out f n -> n",
    "leaky_relu_fwd": "out F n, x f n, slope f 1 slope -> n",
    "leaky_relu_bwd_dx": "dx F n, dout f n, out f n, slope f 1 slope -> n",
    "hard_swish_fwd": "out F n, x f n -> n",
    "hard_swish_bwd_dx": "dx F n, dout f n, x f n -> n",
    "sigmoid_fwd": "out F n, x f n -> n",
    "sigmoid_bwd_dx": "dx F n, dout f n, out f n -> n",
    "tanh_fwd": "out F n, x f n -> n",
    "tanh_bwd_dx": "dx F n, dout f n, out f n -> n",
    "softmax_bwd_dx": "dx F B*K, dout f B*K, out f B*K, B i 0, K i 1",
    "add_f32": "out F n, a f n, b f n -> n",
    "mul_f32": "out F n, a f n, b f n -> n",
    "scale_shift_fwd": "out F P*C, x f P*C, scale f C, shift f C, P i 0, C i 0",
    "scale_shift_bwd_dx": "dx F P*C, dout f P*C, scale f C, P i 0, C i 0",
    "scale_shift_bwd_dw": "dscale F C, dshift F C, dout f P*C, x f P*C, P i 0, C i 0",
    "copy_channels": "out F P*M, x f P*N, P i 0, M i 0, N i 0, to i 0, at i 0, C i 0 inside",
    "pad_fwd": "out F B*OH*OW*C, x f B*H*W*C, B i 0, H i 0, W i 0, C i 0, OH i 0, OW i 0, "
    "top i 0, left i 0 frame",
    "pad_bwd_dx": "dx F B*H*W*C, dout f B*OH*OW*C, B i 0, H i 0, W i 0, C i 0, OH i 0, OW i 0, "
    "top i 0, left i 0 frame",
    # losses, optimisers, elementary functions, random numbers
    "mse": "dpred F B*N, stats F 1, pred f B*N, target f B*N, B i 0, N i 1",
    "adam_step": "p F n, m F n, v F n, g f n, hyper f 7 adam -> n",
    "axpy_f32": "y F n, x f n, a f 1 -> n",
    "scale_f32": "out F n, x f n, a f 1 -> n",
    "sum_squares": "total F 1, x f n -> n",
    "clip_norm": "g F n, total f 1, limit f 1 limit -> n",
    "exp_f32": "out F n, x f n -> n",
    "log_f32": "out F n, x f n -> n",
    "sqrt_f32": "out F n, x f n -> n",
    "uniform_f32": "out F n, seed i 0, at i 0 -> n",
    "gaussian_f32": "out F n, seed i 0, at i 0 -> n",
    # variational auto-encoders
    "sample_code": "out F n, noise F n, stream L 3 stream, mean f n, spread f n -> stream n",
    "sample_code_bwd_dx": "dspread F n, dout f n, spread f n, noise f n -> n",
    "kl_mean": "dmean F B*Z, stats F any one_per_unit, mean f B*Z, B i 0, Z i 1",
    "kl_spread": "dspread F B*Z, stats F any one_per_unit, spread f B*Z, B i 0, Z i 1",
    "logistic_xent": "dlogits F B*N, stats F 1, logits f B*N, target f B*N, B i 0, N i 1",
    # some structures of a layer
    "sum_errors": "sums F B*M, dout f B*P*M, B i 0, P i 0, M i 0",
    "keep_largest": "kept L B*M, state F 2, sums f B*M, shares f 2 shares, B i 0, M i 0 -> kept",
    "skip_smallest": "dout F B*N, state F 3, sums f B, hyper f 2 share_and_rate, B i 0, N i 0",
    "dense_bwd_dx_some": "dx F B*P*N, dout f B*P*M, w f M*N, kept l B*M kept, B i 0, P i 0, "
    "N i 0, M i 0 -> kept",
    "dense_bwd_dw_some": "dw F M*N, db F M, dout f B*P*M, x f B*P*N, kept l B*M kept, B i 0, "
    "P i 0, N i 0, M i 0 -> kept",
    "conv2d_bwd_dx_some": "dx F B*H*W*C, dout f B*OH*OW*K, w f K*R*S*C, kept l B*K kept_of_geom, "
    "geom l 14 geom, B i 0 -> kept geom",
    "conv2d_bwd_dw_some": "dw F K*R*S*C, db F K, dout f B*OH*OW*K, x f B*H*W*C, "
    "kept l B*K kept_of_geom, geom l 14 geom, B i 0 -> kept geom",
    "depthwise_bwd_dx_some": "dx F B*H*W*C, dout f B*OH*OW*C, w f R*S*C, "
    "kept l B*C kept_of_geom, geom l 14 channelwise, B i 0 -> kept geom",
    "depthwise_bwd_dw_some": "dw F R*S*C, db F C, dout f B*OH*OW*C, x f B*H*W*C, "
    "kept l B*C kept_of_geom, geom l 14 channelwise, B i 0 -> kept geom",
    # more of int8, packed latents
    "conv2d_t_s8": "out B B*H*W*C, x b B*OH*OW*K, w b C*R*S*K, bias l C, mult l C, "
    "shift l C multipliers, geom l 14 geom, q l 4 q, B i 0 -> bias mult shift geom q",
    "maxpool_s8": "out B B*OH*OW*C, x b B*H*W*C, geom l 14 channelwise, q l 4 q, B i 0 -> geom q",
    "add_s8": "out B n, a b n, b b n, q l 12 sum_of_two -> n q",
    "requantize_s8": "out B n, x b n, mult l 1, shift l 1 multipliers, q l 4 q -> mult shift q n",
    "lookup_s8": "out B n, x b n, table b 256 -> n",
    "softmax_s8": "out B B*K, x b B*K, table l 256 exponentials, B i 0, K i 1 sum_of_4095 "
    "-> table",
    "copy_s8": "out B n, x b n -> n",
    "copy_channels_s8": "out B P*M, x b P*N, P i 0, M i 0, N i 0, to i 0, at i 0, C i 0 inside",
    "pad_s8": "out B B*OH*OW*C, x b B*H*W*C, value b 1, B i 0, H i 0, W i 0, C i 0, OH i 0, "
    "OW i 0, top i 0, left i 0 frame",
    "packed_bytes": "n i 0, bits i 1 bits",
    "pack_s8": "out B size, x b n packing, bits i 1 bits -> n",
    "unpack_s8": "out B n, x b size unpacking, bits i 1 bits -> n",
    "unpack_f32": "out F n, x b size unpacking, qp f 2 qp, bits i 1 bits -> qp n",
    # replay
    "draw_batch": "slots L batch, random L 3 random, place L 2 place, order H records, "
    "start h ends, present b known draw, fresh i 0, groups i 0 -> slots random place",
    "gather_latents": "out F size, labels B any, raw b region, slots l rows, layout l 8 layout, "
    "codes f entries gather, at i 0, count i 0 -> slots layout codes",
    "gather_targets": "out F size, raw b region, slots l rows, layout l 8 targets, at i 0, "
    "count i 0 -> slots layout",
    # fully quantized training: forward, backward, update
    "dense_fwd_q8": "out B B*M, so L 6 notes, x b B*N, sx l 6 record, w b M*N, sw l 6 record, "
    "b l M, B i 0, N i 0 products, M i 0 -> so sx sw b",
    "dense_logits_q8": "out F B*M, x b B*N, sx l 6 record, w b M*N, sw l 6 record, b l M, B i 0, "
    "N i 0 products, M i 0 -> sx sw b",
    "dense_bwd_dx_q8": "dx B B*N, sdx L 6 notes, dout b B*M, sdout l 6 record, w b M*N, "
    "sw l 6 record, B i 0, N i 0, M i 0 products -> sdx sdout sw",
    "dense_step_q8": "w B M*N, rest B any rest, sw L 6 notes, b L M, dout b B*M, "
    "sdout l 6 record, x b B*N, sx l 6 record, rates l 3 rates, B i 0 products, N i 0, "
    "M i 0 -> sw b sdout sx rates",
    "conv2d_fwd_q8": "out B B*OH*OW*K, so L 6 notes, x b B*H*W*C, sx l 6 record, w b K*R*S*C, "
    "sw l 6 record, b l K, geom l 14 taps, B i 0 -> so sx sw b geom",
    "conv2d_bwd_dx_q8": "dx B B*H*W*C, sdx L 6 notes, dout b B*OH*OW*K, sdout l 6 record, "
    "w b K*R*S*C, sw l 6 record, geom l 14 taps, B i 0 -> sdx sdout sw geom",
    "conv2d_step_q8": "w B K*R*S*C, rest B any rest, sw L 6 notes, b L K, dout b B*OH*OW*K, "
    "sdout l 6 record, x b B*H*W*C, sx l 6 record, rates l 3 rates, geom l 14 positions, "
    "B i 0 -> sw b sdout sx rates geom",
    "conv2d_t_fwd_q8": "out B B*H*W*C, so L 6 notes, x b B*OH*OW*K, sx l 6 record, w b K*R*S*C, "
    "sw l 6 record, b l C, geom l 14 taps, B i 0 -> so sx sw b geom",
    "conv2d_t_bwd_dx_q8": "dx B B*OH*OW*K, sdx L 6 notes, dout b B*H*W*C, sdout l 6 record, "
    "w b K*R*S*C, sw l 6 record, geom l 14 taps, B i 0 -> sdx sdout sw geom",
    "conv2d_t_step_q8": "w B K*R*S*C, rest B any rest, sw L 6 notes, b L C, dout b B*H*W*C, "
    "sdout l 6 record, x b B*OH*OW*K, sx l 6 record, rates l 3 rates, geom l 14 positions, "
    "B i 0 -> sw b sdout sx rates geom",
    "depthwise_fwd_q8": "out B B*OH*OW*C, so L 6 notes, x b B*H*W*C, sx l 6 record, w b R*S*C, "
    "sw l 6 record, b l C, geom l 14 taps_by_channel, B i 0 -> so sx sw b geom",
    "depthwise_bwd_dx_q8": "dx B B*H*W*C, sdx L 6 notes, dout b B*OH*OW*C, sdout l 6 record, "
    "w b R*S*C, sw l 6 record, geom l 14 taps_by_channel, B i 0 -> sdx sdout sw geom",
    "depthwise_step_q8": "w B R*S*C, rest B any rest, sw L 6 notes, b L C, dout b B*OH*OW*C, "
    "sdout l 6 record, x b B*H*W*C, sx l 6 record, rates l 3 rates, "
    "geom l 14 positions_by_channel, B i 0 -> sw b sdout sx rates geom",
    "relu_fwd_q8": "out B n, x b n -> n",
    "relu_bwd_dx_q8": "dx B n, dout b n, out b n -> n",
    "relu6_fwd_q8": "out B n, x b n, sx l 6 record -> n sx",
    "relu6_bwd_dx_q8": "dx B n, dout b n, out b n, sx l 6 record -> n sx",
    "add_q8": "out B n, so L 6 notes, a b n, sa l 6 record, b b n, sb l 6 record -> n so sa sb",
    "maxpool_bwd_dx_q8": "dx B B*H*W*C, sdx L 6 notes, dout b B*OH*OW*C, sdout l 6 record, "
    "x b B*H*W*C, geom l 14 taps_by_channel, B i 0 -> sdx sdout geom",
    "avgpool_fwd_q8": "out B B*OH*OW*C, so L 6 notes, x b B*H*W*C, sx l 6 record, "
    "geom l 14 taps_by_channel, B i 0 -> so sx geom",
    "avgpool_bwd_dx_q8": "dx B B*H*W*C, sdx L 6 notes, dout b B*OH*OW*C, sdout l 6 record, "
    "geom l 14 taps_by_channel, B i 0 -> sdx sdout geom",
    "quantize_q8": "out B n, so L 6 notes, x f n -> so n",
    "dequantize_q8": "out F n, x b n, sx l 6 record -> sx n",
    "clear_q8": "records L any records -> records",
    "follow_q8": "records L any records -> records",
    "rescale_q8": "w B n, rest B any rest, sw L 6 notes -> sw n",
    "keep_largest_q8": "out B B*P*M, state F 2, sums L M, kept L M, dout b B*P*M, "
    "sdout l 6 record, shares f 2 shares, B i 0, P i 0, M i 0 errors -> sums kept sdout",
    "decay_q8": "w B n, rest B any rest, sw L 6 notes, rates l 3 rates -> sw rates n",
    "copy_parts_q8": "out B P*M, x b P*N, parts l any parts, P i 0, M i 0, N i 0 -> parts",
    "carry_q8": "w B n, sw L 6 notes, v B n, sv L 6 notes, b L m, p L m, rates l 3 rates, "
    "drops l 3 rates -> sw sv b p rates drops n",
    "clip_q8": "clipped L 3, rates l 3 rates, total l 6 notes, limit l 6 notes "
    "-> clipped rates total limit",
    "gather_codes": "out B size, labels B any, raw b region, slots l rows, layout l 8 layout, "
    "codes b entries gather, at i 0, count i 0 -> slots layout codes",
    # audio front-end
    "hann_window": "out F n one_turn -> n",
    "rfft_table_size": "N i 4 power_of_two",
    "rfft_table": "out F N, N i 4 power_of_two",
    "rfft": "out F parts, x f N, table f N, N i 4 power_of_two",
    "power_spectrum": "out F bins, x f parts, N i 4 power_of_two",
    "mel_table": "out F bins, hyper f 3 mel, N i 4 power_of_two, M i 1",
    "log_mel": "out F M, power f bins, table f bins, floor f 1 floor, N i 4 power_of_two, M i 1",
    "dct_matrix": "out F K*M, M i 1, K i 0 cosines",
    # front-end of vibration
    "vibration_features": "out F features, x f N*C, floor f 1 noise, N i 8 samples, C i 1 axes",
}

# Conditions that are made for the name of an argument; those whose arguments are checked before
# other buffers; sizes that conditions append.
NAMED = ("record", "notes", "products", "rates")
_GEOMETRY = ("geom", "channelwise", "taps", "taps_by_channel", "positions", "positions_by_channel")
EARLY = _GEOMETRY + ("qp",)
SIZES = {"power_of_two": "bins parts", "axes": "features"}
SIZES.update({word: "H W C K R S OH OW" for word in _GEOMETRY})


def parsed(row):
    """([(name, letter, size, condition or ""), ...], [returned name, ...])"""
    parts = row.split(" -> ")
    rows = [(part + " ").split(" ")[:4] for part in parts[0].split(", ")]
    return rows, parts[1].split(" ") if len(parts) > 1 else []


def _steps(rows, at):
    """(argument, name, letter, size or None, factors of the size, condition or None), in the order
    of the checks; `at` gets the places of the sizes that are found on the way.
    """
    ranks = [0 if letter == "i" else 1 if word in EARLY else 2 for _, letter, _, word in rows]
    steps = []
    for i in [i for rank in range(3) for i in range(len(rows)) if ranks[i] == rank]:
        name, letter, size, word = rows[i]
        factors = ()
        if size[0] in "0123456789":
            size = int(size)
        elif "*" in size or size in at:
            size, factors = 1, [at[factor] for factor in size.split("*")]
        else:
            at[size], size = len(at), None
        condition = getattr(conditions, word, None)
        if word in NAMED:
            condition = condition(name)
        steps.append((i, name, letter, size, factors, condition))
        for part in SIZES.get(word, "").split():
            at[part] = len(at)
    return steps


def _compiled(kernel):
    """The check of a kernel's row: a function of the kernel's arguments."""
    rows, names = parsed(ROWS[kernel])
    at = {row[0]: i for i, row in enumerate(rows)}  # argument or size: its place in `values`
    steps = _steps(rows, at)
    places = [at[name] for name in names]
    only = places[0] if len(places) == 1 else None

    def check(*args):
        values = list(args)
        for i, name, letter, size, factors, condition in steps:
            value = values[i]
            if letter == "i":
                integer(kernel, name, value, size)
            else:
                for factor in factors:
                    size *= values[factor]
                if not is_float32(value, letter):
                    value = values[i] = buffer(kernel, letter, name, value)
                if size is None:
                    values.append(len(value))
                elif value is not None and len(value) != size:
                    length(kernel, name, value, size)
            if condition:
                condition(kernel, values, i)
        if only is not None:
            return values[only]
        return [values[i] for i in places]

    return check


def __getattr__(kernel):
    """The check of a kernel, under the kernel's name; made when it is first asked for."""
    if kernel not in ROWS:
        raise AttributeError(kernel)
    check = globals()[kernel] = _compiled(kernel)
    return check
