#include "protocol/batch.hpp"

namespace holdfast::protocol {

namespace {

error bad_batch(std::string message) {
    return {errc::malformed, "batch: " + std::move(message)};
}

// One record; `size` is how many bytes it takes.
result<batch_message> decode_one(byte_view bytes, std::size_t& size) {
    constexpr std::size_t flag_at = 12;
    constexpr std::size_t body_length_at = 16;
    constexpr std::size_t body_at = 20;
    constexpr std::size_t properties_length_bytes = 2;
    if (bytes.size() < batch_message_fixed_bytes)
        return bad_batch(std::to_string(bytes.size()) + " bytes are too few for a message");
    size = load_big<std::uint32_t>(bytes.data());
    if (size < batch_message_fixed_bytes || size > bytes.size())
        return bad_batch("a message of " + std::to_string(size) + " bytes with " +
                         std::to_string(bytes.size()) + " left");
    const std::size_t body_size = load_big<std::uint32_t>(bytes.data() + body_length_at);
    if (body_size > size - batch_message_fixed_bytes)
        return bad_batch("a body of " + std::to_string(body_size) + " bytes in a message of " +
                         std::to_string(size));
    const std::size_t properties_at = body_at + body_size + properties_length_bytes;
    const std::size_t properties_size = load_big<std::uint16_t>(bytes.data() + body_at + body_size);
    if (properties_size > limits::max_properties_bytes || properties_size != size - properties_at)
        return bad_batch("properties of " + std::to_string(properties_size) + " bytes where " +
                         std::to_string(size - properties_at) + " are left in the message");
    return batch_message{.flag = load_big<std::int32_t>(bytes.data() + flag_at),
                         .body = bytes.subspan(body_at, body_size),
                         .properties = as_text(bytes.subspan(properties_at, properties_size))};
}

} // namespace

void append_batch_message(byte_buffer& out, const batch_message& message) {
    HOLDFAST_CHECK(message.properties.size() <= limits::max_properties_bytes);
    HOLDFAST_CHECK(message.body.size() <= limits::max_frame_bytes);
    const std::size_t size = batch_message_fixed_bytes + message.body.size() + message.properties.size();
    out.append_big(static_cast<std::uint32_t>(size));
    out.append_big(std::uint32_t{0});
    out.append_big(std::uint32_t{0});
    out.append_big(message.flag);
    out.append_big(static_cast<std::uint32_t>(message.body.size()));
    out.append(message.body);
    out.append_big(static_cast<std::uint16_t>(message.properties.size()));
    out.append(message.properties);
}

std::optional<result<batch_message>> batch_reader::next() {
    if (rest_.empty())
        return std::nullopt;
    if (left_ == 0) {
        rest_ = {};
        return error{errc::too_large, "batch: too many messages; send fewer at a time"};
    }
    --left_;
    std::size_t size = 0;
    auto decoded = decode_one(rest_, size);
    rest_ = decoded ? rest_.subspan(size) : byte_view{};
    return decoded;
}

result<std::size_t> check_batch(byte_view body, std::size_t max_messages) {
    batch_reader reader{body, max_messages};
    std::size_t count = 0;
    while (const auto next = reader.next()) {
        if (!*next)
            return next->failure();
        ++count;
    }
    if (count == 0)
        return bad_batch("it holds no message");
    return count;
}

} // namespace holdfast::protocol
