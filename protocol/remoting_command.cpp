#include "protocol/remoting_command.hpp"

#include "protocol/binary_header.hpp"
#include "protocol/json_header.hpp"

namespace holdfast::protocol {

result<void> remoting_command::decode(const frame_view& frame) {
    reset(frame);
    if (frame.serialize == serialize_type::json)
        return json_header_scanner{as_text(frame.header), *this}.scan();
    return binary_header_reader{frame.header, *this}.read();
}

std::optional<std::string_view> remoting_command::find(std::string_view name) const {
    for (auto field = fields_.rbegin(); field != fields_.rend(); ++field)
        if (field->name == name)
            return field->value;
    return std::nullopt;
}

void remoting_command::reset(const frame_view& frame) {
    code_ = 0;
    version_ = 0;
    opaque_ = 0;
    flag_ = 0;
    language_ = protocol::language::java;
    serialize_ = frame.serialize;
    remark_ = {};
    body_ = frame.body;
    fields_.clear();
    if (fields_.capacity() == 0)
        fields_.reserve(24); // a send has 14, signatures and extras come on top
}

char* remoting_command::scratch(std::size_t count) {
    if (scratch_capacity_ < count) {
        scratch_.reset(new char[count]);
        scratch_capacity_ = count;
    }
    return scratch_.get();
}

} // namespace holdfast::protocol
