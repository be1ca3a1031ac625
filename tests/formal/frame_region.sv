// Laws of `frame_region`, inbound: an MFA is good exactly if it is the start of a frame of the region, and then the index is that frame's.

wire [25:0] base_now = $anyconst;
wire [4:0] size_now = $anyconst;
wire [10:0] frames_now = $anyconst;
wire [3:0] amount = size_now < 6 ? 0 : size_now > 16 ? 10 : size_now - 6;
wire [10:0] limit = frames_now > 256 ? 256 : frames_now;
always @* assume (base == base_now & size == size_now & frames == frames_now);

reg [31:0] mfa_1, mfa_2, mfa_3;
reg [2:0] settled = 0;
always @(posedge clock) begin
    {mfa_1, mfa_2, mfa_3} <= {mfa, mfa_1, mfa_2};
    settled <= {settled[1:0], begun};
end

// Any frame of the region, and where it starts.
wire [9:0] frame = $anyconst;
wire [25:0] begins = base_now + ({16'd0, frame} << amount);
wire in_processor = begins[25:18] == base_now[25:18];
always @* assume (frame < limit);

always @* if (settled[2]) begin
    if (mfa_3[31:2] == {begins, 4'd0} & in_processor) assert (good & index == frame);
    if (good) begin
        assert (index < limit);
        assert (mfa_3[31:2] == {base_now + ({16'd0, index} << amount), 4'd0});
        assert (mfa_3[31:24] == base_now[25:18]);
    end
end
