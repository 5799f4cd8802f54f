#include "broker/command.hpp"

#include <string>

namespace holdfast::broker {

void encode_command_header(const command_header& header, std::byte* to) {
    store_little(to, header.size);
    store_little(to + 4, header.back);
    store_little(to + 8, header.topic.value());
    store_little(to + 12, header.queue.value());
    store_little(to + 16, header.tags);
    store_little(to + 20, std::uint32_t{static_cast<std::uint8_t>(header.kind)});
}

namespace {

command_header decode_command_header(const std::byte* from) {
    command_header header;
    header.size = load_little<std::uint32_t>(from);
    header.back = load_little<std::uint32_t>(from + 4);
    header.topic = topic_id{load_little<std::uint32_t>(from + 8)};
    header.queue = queue_number{load_little<std::uint32_t>(from + 12)};
    header.tags = load_little<std::int32_t>(from + 16);
    header.kind = static_cast<command_kind>(load_little<std::uint8_t>(from + 20));
    return header;
}

} // namespace

result<command_view> command_cursor::next() {
    const auto room = entry_.size() - next_;
    if (room < command_header_size)
        return error{errc::corrupted, "a command header does not fit into its entry"};
    command_view view;
    view.header = decode_command_header(entry_.data() + next_);
    view.payload_offset = next_ + command_header_size;
    if (view.header.size > room - command_header_size)
        return error{errc::corrupted, "a command of " + std::to_string(view.header.size) +
                                          " bytes does not fit into its entry"};
    if (view.header.back != view.payload_offset)
        return error{errc::corrupted, "a command does not point back at its entry"};
    view.payload = entry_.subspan(view.payload_offset, view.header.size);
    next_ = view.payload_offset + align_up(view.header.size, command_alignment);
    return view;
}

} // namespace holdfast::broker
