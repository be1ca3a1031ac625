// The yardstick for the emitted `classifier`: the same block at 64 bits and four processors, written by hand.
//
// Ports, stages and semantics are those of hdl/src/classifier.rs, and both agree cycle by cycle (tests/handwritten.rs).
// `pointsman bench` runs one against the other in Verilator.

`default_nettype none

module classifier (
    input  wire         clock,
    input  wire         reset,

    input  wire         beat_valid,
    input  wire [63:0]  beat_data,
    input  wire [6:0]   beat_bytes,
    input  wire         beat_first,
    input  wire         beat_last,

    input  wire         use_toeplitz,
    input  wire         fragment_addresses,
    input  wire [2:0]   chunk_bits,
    input  wire [5:0]   hash_fields,
    input  wire [319:0] key,

    input  wire         reta_write,
    input  wire [6:0]   reta_write_index,
    input  wire [3:0]   reta_write_entry,
    input  wire [6:0]   reta_read_index,
    output reg  [3:0]   reta_read_entry,

    output reg          headers_tvalid,
    output reg  [2:0]   headers_class,
    output reg          headers_ipv6,
    output wire [30:0]  headers_places,

    output reg          lookup_tvalid,
    output reg  [3:0]   lookup_processor,
    output reg  [31:0]  lookup_hash,
    output reg  [2:0]   lookup_class
);
    localparam [3:0] LAST_PROCESSOR = 4'd3;
    // Header words within reach: 194 bytes, and the two that word 0 starts ahead of the frame.
    localparam [6:0] DEPTH = 7'd49;

    // Classes.
    localparam [2:0] OTHER = 0, ARP = 1, IP = 2, TCP = 3, UDP = 4, FRAGMENT = 5, ND = 6, MALFORMED = 7;
    // EtherTypes. UPPER_OTHER to UPPER_ICMP: next-header numbers.
    localparam [2:0] ETHER_OTHER = 0, ETHER_IPV4 = 1, ETHER_IPV6 = 2, ETHER_ARP = 3, ETHER_TAG = 4;
    localparam [2:0] UPPER_OTHER = 0, UPPER_EXTENSION = 1, UPPER_FRAGMENT = 2, UPPER_TCP = 3, UPPER_UDP = 4,
                     UPPER_ICMP = 5;
    // What is expected in word `at`.
    localparam [3:0] ETHER_TYPE = 0, V4_LENGTH = 1, V4_OFFSET = 2, V4_PROTOCOL = 3, V6_VERSION = 4, V6_LENGTH = 5,
                     HEADER_END = 6, EXTENSION = 7, IDENTIFICATION = 8, PORTS = 9, ICMP = 10, DONE = 11;

    integer i;

    // ---- Stage 1: two header words a beat, aligned to IP; read every way they may be meant.

    function [2:0] ether_type(input [15:0] number);
        case (number)
            16'h0800:           ether_type = ETHER_IPV4;
            16'h86dd:           ether_type = ETHER_IPV6;
            16'h0806:           ether_type = ETHER_ARP;
            16'h8100, 16'h88a8: ether_type = ETHER_TAG;
            default:            ether_type = ETHER_OTHER;
        endcase
    endfunction

    function [2:0] next_header(input [7:0] number);
        case (number)
            8'd0, 8'd43, 8'd60: next_header = UPPER_EXTENSION;
            8'd44:              next_header = UPPER_FRAGMENT;
            8'd6:               next_header = UPPER_TCP;
            8'd17:              next_header = UPPER_UDP;
            8'd58:              next_header = UPPER_ICMP;
            default:            next_header = UPPER_OTHER;
        endcase
    endfunction

    // 64 words are beyond reach, whatever follows.
    function [6:0] within_64(input [13:0] words);
        within_64 = |words[13:6] ? 7'd64 : {1'b0, words[5:0]};
    endfunction

    reg         valid_1, first_1, last_1;
    reg  [15:0] carry;
    reg  [6:0]  base_1;
    reg         present_1 [0:1];
    reg  [31:0] word_1 [0:1];
    reg  [2:0]  ether_1 [0:1];
    reg         v4_good_1 [0:1], v4_fragment_1 [0:1], v6_good_1 [0:1], nd_1 [0:1];
    reg  [6:0]  v4_end_1 [0:1], v4_limit_1 [0:1], v6_limit_1 [0:1], extension_end_1 [0:1];
    reg  [2:0]  v4_upper_1 [0:1], v6_upper_1 [0:1], extension_upper_1 [0:1];
    reg         v6_routing_1 [0:1], extension_routing_1 [0:1];

    // Far out of reach the base stays where it is, lest it wrap.
    wire [6:0]  base = beat_first ? 7'd0 : base_1[6] ? base_1 : base_1 + 7'd2;
    wire [31:0] word [0:1];
    wire [6:0]  position [0:1];
    assign word[0] = {carry, beat_data[7:0], beat_data[15:8]};
    assign word[1] = {beat_data[23:16], beat_data[31:24], beat_data[39:32], beat_data[47:40]};
    assign position[0] = base;
    assign position[1] = base + 7'd1;

    always @(posedge clock) begin
        valid_1 <= beat_valid && !reset;
        if (beat_valid) begin
            first_1 <= beat_first;
            last_1  <= beat_last;
            base_1  <= base;
            carry   <= {beat_data[55:48], beat_data[63:56]};
            for (i = 0; i < 2; i = i + 1) begin
                word_1[i]            <= word[i];
                present_1[i]         <= beat_bytes >= 7'd2 + 7'd4 * i[6:0] && position[i] < DEPTH;
                ether_1[i]           <= ether_type(word[i][15:0]);
                v4_good_1[i]         <= word[i][31:28] == 4 && word[i][27:24] >= 5 && word[i][15:0] >= {10'd0, word[i][27:24], 2'd0};
                v4_end_1[i]          <= position[i] + {3'd0, word[i][27:24]} - 7'd1;
                v4_limit_1[i]        <= position[i] + within_64(word[i][15:2]);
                v4_fragment_1[i]     <= |word[i][13:0];
                v4_upper_1[i]        <= word[i][23:16] == 6 ? UPPER_TCP : word[i][23:16] == 17 ? UPPER_UDP : UPPER_OTHER;
                v6_good_1[i]         <= word[i][31:28] == 6;
                v6_limit_1[i]        <= position[i] + within_64(word[i][31:18]) + 7'd9;
                v6_upper_1[i]        <= next_header(word[i][15:8]);
                v6_routing_1[i]      <= word[i][15:8] == 43;
                extension_upper_1[i] <= next_header(word[i][31:24]);
                extension_routing_1[i] <= word[i][31:24] == 43;
                extension_end_1[i]   <= position[i] + (word[i][23:16] >= 32 ? 7'd64 : {1'b0, word[i][20:16], 1'b1});
                nd_1[i]              <= word[i][31:24] >= 133 && word[i][31:24] <= 137;
            end
        end
    end

    // ---- Stage 2: the walk takes both words in one cycle.

    reg  [3:0]  state, next_state;
    reg  [6:0]  at, next_at;
    reg  [6:0]  limit, next_limit;
    reg  [6:0]  v4_end, next_v4_end;
    reg  [2:0]  ip_at, next_ip_at;
    reg         ipv6, next_ipv6;
    reg         fragment, next_fragment;
    reg         routing, next_routing;
    reg  [2:0]  upper, next_upper;
    reg  [2:0]  verdict, next_verdict;

    reg  [6:0]  here;
    integer     j;

    always @* begin
        next_state    = state;
        next_at       = at;
        next_limit    = limit;
        next_v4_end   = v4_end;
        next_ip_at    = ip_at;
        next_ipv6     = ipv6;
        next_fragment = fragment;
        next_routing  = routing;
        next_upper    = upper;
        next_verdict  = verdict;
        for (j = 0; j < 2; j = j + 1) begin
            here = base_1 + j[6:0];
            if (present_1[j] && here == next_at) begin
                case (next_state)
                    ETHER_TYPE: begin
                        next_at = here + 7'd1;
                        case (ether_1[j])
                            ETHER_IPV4: next_state = V4_LENGTH;
                            ETHER_IPV6: next_state = V6_VERSION;
                            // A third tag is an unknown EtherType.
                            ETHER_TAG:  if (here == 5) next_state = DONE;
                            ETHER_ARP:  begin next_state = DONE; next_verdict = ARP; end
                            default:    next_state = DONE;
                        endcase
                    end
                    V4_LENGTH: begin
                        next_ip_at  = here[2:0];
                        next_v4_end = v4_end_1[j];
                        next_limit  = v4_limit_1[j];
                        next_at     = here + 7'd1;
                        next_state  = V4_OFFSET;
                        if (!v4_good_1[j]) begin next_state = DONE; next_verdict = MALFORMED; end
                    end
                    V4_OFFSET: begin
                        next_fragment = v4_fragment_1[j];
                        next_at       = here + 7'd1;
                        next_state    = V4_PROTOCOL;
                    end
                    V4_PROTOCOL: begin
                        next_upper = v4_upper_1[j];
                        next_at    = next_v4_end;
                        next_state = HEADER_END;
                    end
                    V6_VERSION: begin
                        next_ip_at = here[2:0];
                        next_ipv6  = 1'b1;
                        next_at    = here + 7'd1;
                        next_state = V6_LENGTH;
                        if (!v6_good_1[j]) begin next_state = DONE; next_verdict = MALFORMED; end
                    end
                    V6_LENGTH: begin
                        next_upper = v6_upper_1[j];
                        next_routing = v6_routing_1[j];
                        next_limit = v6_limit_1[j];
                        next_at    = here + 7'd8;
                        next_state = HEADER_END;
                    end
                    HEADER_END: begin
                        next_at = here + (next_upper == UPPER_FRAGMENT ? 7'd2 : 7'd1);
                        if (here >= next_limit) begin next_state = DONE; next_verdict = MALFORMED; end
                        else if (next_fragment) begin next_state = DONE; next_verdict = FRAGMENT; end
                        else case (next_upper)
                            UPPER_EXTENSION:      next_state = EXTENSION;
                            UPPER_FRAGMENT:       next_state = IDENTIFICATION;
                            UPPER_TCP, UPPER_UDP: next_state = PORTS;
                            UPPER_ICMP:           next_state = ICMP;
                            default:              begin next_state = DONE; next_verdict = IP; end
                        endcase
                    end
                    EXTENSION: begin
                        next_upper = extension_upper_1[j];
                        next_routing = next_routing || extension_routing_1[j];
                        next_at    = extension_end_1[j];
                        next_state = HEADER_END;
                        if (here >= next_limit) begin next_state = DONE; next_verdict = MALFORMED; end
                    end
                    IDENTIFICATION, PORTS, ICMP: begin
                        if (here >= next_limit)                next_verdict = MALFORMED;
                        else if (next_state == IDENTIFICATION) next_verdict = FRAGMENT;
                        else if (next_state == PORTS)          next_verdict = next_upper == UPPER_TCP ? TCP : UDP;
                        else                                   next_verdict = nd_1[j] ? ND : IP;
                        next_state = DONE;
                    end
                    default: ;
                endcase
            end
        end
    end

    reg         valid_2, first_2, last_2, done_2, ipv6_2, routing_2;
    reg  [6:0]  base_2, at_2;
    reg  [2:0]  ip_at_2, class_2;
    reg  [31:0] word_2 [0:1];

    always @(posedge clock) begin
        valid_2 <= valid_1 && !reset;
        if (valid_1) begin
            state     <= next_state;
            at        <= next_at;
            limit     <= next_limit;
            v4_end    <= next_v4_end;
            ip_at     <= next_ip_at;
            ipv6      <= next_ipv6;
            fragment  <= next_fragment;
            routing   <= next_routing;
            upper     <= next_upper;
            verdict   <= next_verdict;
            first_2   <= first_1;
            last_2    <= last_1;
            base_2    <= base_1;
            done_2    <= next_state == DONE;
            at_2      <= next_at;
            ip_at_2   <= next_ip_at;
            ipv6_2    <= next_ipv6;
            routing_2 <= next_routing;
            class_2   <= next_verdict;
            word_2[0] <= word_1[0];
            word_2[1] <= word_1[1];
        end
        if (reset || (valid_1 && last_1)) begin
            state    <= ETHER_TYPE;
            at       <= 7'd3;
            ipv6     <= 1'b0;
            fragment <= 1'b0;
            routing  <= 1'b0;
            verdict  <= OTHER;
        end
    end

    // ---- Stage 3: pick out the fields; conclude once a frame.

    wire        concluded_before = concluded && !first_2;
    wire        conclude = !concluded_before && (done_2 || last_2 || base_2 >= DEPTH - 7'd1);
    // Addresses begin in the third word of IPv6, in the fourth of IPv4.
    wire [6:0]  from_ip   = base_2 - {4'd0, ip_at_2};
    wire [6:0]  from_length = from_ip - (ipv6_2 ? 7'd1 : 7'd0);
    wire [6:0]  address_0 = from_ip - (ipv6_2 ? 7'd2 : 7'd3);
    wire [6:0]  address_1 = address_0 + 7'd1;

    reg         concluded;
    reg  [2:0]  headers_ip_at;
    reg  [6:0]  headers_at;
    reg         headers_routing;
    reg  [15:0] ip_length;
    reg  [3:0]  ip_words;
    assign headers_places = {headers_routing, ip_words, ip_length, headers_at, headers_ip_at};

    reg  [31:0] address [0:7];
    reg  [31:0] tail;
    reg  [15:0] identification;

    always @(posedge clock) begin
        headers_tvalid <= valid_2 && conclude && !reset;
        if (valid_2) begin
            concluded     <= concluded_before || conclude;
            headers_class <= done_2 ? class_2 : MALFORMED;
            headers_ipv6  <= ipv6_2;
            headers_ip_at <= ip_at_2;
            headers_at    <= at_2;
            headers_routing <= routing_2;
            // The length stands in the second word of IPv6, in the first of IPv4.
            if (from_length == 7'd0) {ip_words, ip_length} <= {word_2[0][27:24], ipv6_2 ? word_2[0][31:16] : word_2[0][15:0]};
            if (from_length == 7'd127) {ip_words, ip_length} <= {word_2[1][27:24], ipv6_2 ? word_2[1][31:16] : word_2[1][15:0]};
            if (address_0 < 8) address[address_0[2:0]] <= word_2[0];
            if (address_1 < 8) address[address_1[2:0]] <= word_2[1];
            if (from_ip == 1) identification <= word_2[0][31:16];
            if (from_ip == 0) identification <= word_2[1][31:16];
            if (base_2 == at_2) tail <= word_2[0];
            if (base_2 + 7'd1 == at_2) tail <= word_2[1];
        end
    end

    // ---- Hash: a fold, and a Toeplitz sum of 58 bits a cycle in five rounds beside it.

    function [6:0] fold(input [31:0] x, input [2:0] bits);
        case (bits)
            3'd0: fold = 7'd0;
            3'd1: fold = {6'd0, ^x};
            3'd2: fold = {5'd0, x[1:0] ^ x[3:2] ^ x[5:4] ^ x[7:6] ^ x[9:8] ^ x[11:10] ^ x[13:12] ^ x[15:14] ^ x[17:16]
                              ^ x[19:18] ^ x[21:20] ^ x[23:22] ^ x[25:24] ^ x[27:26] ^ x[29:28] ^ x[31:30]};
            3'd3: fold = {4'd0, x[2:0] ^ x[5:3] ^ x[8:6] ^ x[11:9] ^ x[14:12] ^ x[17:15] ^ x[20:18] ^ x[23:21]
                              ^ x[26:24] ^ x[29:27] ^ {1'd0, x[31:30]}};
            3'd4: fold = {3'd0, x[3:0] ^ x[7:4] ^ x[11:8] ^ x[15:12] ^ x[19:16] ^ x[23:20] ^ x[27:24] ^ x[31:28]};
            3'd5: fold = {2'd0, x[4:0] ^ x[9:5] ^ x[14:10] ^ x[19:15] ^ x[24:20] ^ x[29:25] ^ {3'd0, x[31:30]}};
            3'd6: fold = {1'd0, x[5:0] ^ x[11:6] ^ x[17:12] ^ x[23:18] ^ x[29:24] ^ {4'd0, x[31:30]}};
            3'd7: fold = x[6:0] ^ x[13:7] ^ x[20:14] ^ x[27:21] ^ {3'd0, x[31:28]};
        endcase
    endfunction

    // Each input bit that is set adds the 32 key bits from its place on.
    function [31:0] toeplitz(input [57:0] data, input [88:0] window);
        integer b;
        begin
            toeplitz = 32'd0;
            for (b = 0; b < 58; b = b + 1)
                toeplitz = toeplitz ^ ({32{data[57 - b]}} & window[88 - b -: 32]);
        end
    endfunction

    wire        is_tcp      = headers_class == TCP;
    wire        is_udp      = headers_class == UDP;
    wire        is_fragment = headers_class == FRAGMENT;
    wire        has_flow    = headers_class >= IP && headers_class != MALFORMED;
    wire        start       = headers_tvalid && has_flow;

    wire [31:0] source      = headers_ipv6 ? address[0] ^ address[1] ^ address[2] ^ address[3] : address[0];
    wire [31:0] destination = headers_ipv6 ? address[4] ^ address[5] ^ address[6] ^ address[7] : address[1];
    wire [31:0] ports       = is_tcp || is_udp ? tail : 32'd0;
    wire [31:0] toeplitz_ports = (is_tcp && hash_fields[4]) || (is_udp && hash_fields[5]) ? tail : 32'd0;

    reg  [31:0]  x;
    reg  [287:0] input_left;
    reg  [2:0]   round;
    reg  [57:0]  data;
    reg  [88:0]  window;
    reg          start_1, start_2;
    reg  [31:0]  sum;
    // What travels beside the sum, the newest in the lowest place.
    reg  [7:0]   valid_pipe;
    reg  [6:0]   toeplitz_pipe;
    reg  [23:0]  class_pipe;
    reg  [41:0]  fold_pipe;
    reg  [31:0]  hash;

    always @(posedge clock) begin
        if (is_fragment)
            x <= (headers_ipv6 ? tail : {16'd0, identification}) ^ (fragment_addresses ? source ^ destination : 32'd0);
        else if (has_flow)
            x <= (hash_fields[0] ? source : 32'd0) ^ (hash_fields[1] ? destination : 32'd0)
               ^ {16'd0, hash_fields[2] ? ports[31:16] : 16'd0} ^ {16'd0, hash_fields[3] ? ports[15:0] : 16'd0};
        else
            x <= 32'd0;

        start_1 <= start;
        start_2 <= start_1;
        if (start) begin
            input_left <= headers_ipv6 ? {address[0], address[1], address[2], address[3], address[4], address[5],
                                          address[6], address[7], toeplitz_ports}
                                       : {address[0], address[1], toeplitz_ports, 192'd0};
            round <= 3'd0;
        end else begin
            // Behind the last round there are only zeros, so the sum stands.
            input_left <= {input_left[229:0], 58'd0};
            if (round != 3'd4) round <= round + 3'd1;
        end
        data <= input_left[287:230];
        case (round)
            3'd0:    window <= key[319:231];
            3'd1:    window <= key[261:173];
            3'd2:    window <= key[203:115];
            3'd3:    window <= key[145:57];
            default: window <= {key[87:0], 1'b0};
        endcase
        sum <= (start_2 ? 32'd0 : sum) ^ toeplitz(data, window);

        valid_pipe    <= reset ? 8'd0 : {valid_pipe[6:0], headers_tvalid};
        toeplitz_pipe <= {toeplitz_pipe[5:0], use_toeplitz && has_flow && !is_fragment};
        class_pipe    <= {class_pipe[20:0], headers_class};
        fold_pipe     <= {fold_pipe[34:0], fold(x, chunk_bits)};
        hash          <= toeplitz_pipe[6] ? sum : {25'd0, fold_pipe[41:35]};
    end

    // ---- Indirection table: filled with i mod N while reset lasts.

    reg  [3:0]  entries [0:127];
    reg  [6:0]  fill_index;
    reg  [3:0]  fill_entry;
    reg         reading;
    reg  [3:0]  entry;
    reg  [31:0] hash_1;
    reg  [2:0]  class_1;

    always @(posedge clock) begin
        if (reset) begin
            entries[fill_index] <= fill_entry;
            fill_index <= fill_index + 7'd1;
            fill_entry <= fill_entry == LAST_PROCESSOR ? 4'd0 : fill_entry + 4'd1;
        end else begin
            fill_index <= 7'd0;
            fill_entry <= 4'd0;
            if (reta_write) entries[reta_write_index] <= reta_write_entry;
        end
        reta_read_entry <= entries[reta_read_index];

        reading          <= valid_pipe[7] && !reset;
        entry            <= entries[hash[6:0]];
        hash_1           <= hash;
        class_1          <= class_pipe[23:21];
        lookup_tvalid    <= reading && !reset;
        lookup_processor <= entry;
        lookup_hash      <= hash_1;
        lookup_class     <= class_1;
    end
endmodule

`default_nettype wire
