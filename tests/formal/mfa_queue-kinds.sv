// Laws of `mfa_queue`, second part: each entry that carries a command, and each that carries data, is counted once while it can be taken.

// The contract: there is room, as a frame is in one place at a time (proof `mfa_pair`).
wire putting = push & !reset;
wire [10:0] ring = \entries.write_count - \entries.read_count ;
wire [4:0] count = \entries.shown + ring;
always @* assume (!(push & count == 4));

reg [4:0] all_commands, all_datas;
reg [1:0] pushed_commands = 0;
reg [1:0] pushed_datas = 0;
always @(posedge clock) begin
    pushed_commands <= reset ? 2'd0 : {pushed_commands[0], putting & push_kind != 2};
    pushed_datas <= reset ? 2'd0 : {pushed_datas[0], putting & push_kind[1]};
end
wire [2:0] young_commands = pushed_commands[0] + pushed_commands[1];
wire [2:0] young_datas = pushed_datas[0] + pushed_datas[1];
integer k;
always @* begin
    all_commands = (\entries.shown & \entries.head [11:10] != 2);
    all_datas = (\entries.shown & \entries.head [11]);
    for (k = 0; k < 4; k = k + 1) begin
        if ({9'd0, k[1:0] - \entries.read_count [1:0]} < ring) begin
            all_commands = all_commands + (\entries.entries.words [k][11:10] != 2);
            all_datas = all_datas + \entries.entries.words [k][11];
        end
    end
end
always @* if (begun) begin
    assert (waiting_commands + young_commands == all_commands);
    assert (waiting_datas + young_datas == all_datas);
    assert (commands == (waiting_commands != 0));
    assert (datas == (waiting_datas != 0));
end

// How it works inside.
always @* if (begun) begin
    assert (\entries.held == ring + \entries.shown );
    assert (\entries.is_full == (\entries.held == 4));
    assert (ring <= 4);
    assert (\entries.shown + ring <= 4);
    assert (!\entries.fetched |
        (ring != 0 & \entries.entries.read_data == \entries.entries.words [\entries.read_count [1:0]]));
    assert ({coming_command_1, coming_command_0} == pushed_commands);
    assert ({coming_data_1, coming_data_0} == pushed_datas);
end
