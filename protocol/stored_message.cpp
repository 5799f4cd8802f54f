#include "protocol/stored_message.hpp"

#include "base/checksum.hpp"

namespace holdfast::protocol {

namespace {

constexpr std::int32_t ipv6_bits = sys_flag::born_host_ipv6 | sys_flag::store_host_ipv6;

// Writes fields one after the other.
class record_cursor {
  public:
    explicit record_cursor(std::byte* at) : at_(at) {}
    template <std::integral T>
    record_cursor& put(T value) {
        store_big(at_, value);
        at_ += sizeof value;
        return *this;
    }
    record_cursor& put(byte_view bytes) {
        if (!bytes.empty())
            std::memcpy(at_, bytes.data(), bytes.size());
        at_ += bytes.size();
        return *this;
    }
    record_cursor& put(const ipv4_host& host) { return put(host.address).put(host.port); }

  private:
    std::byte* at_;
};

// Reads fields one after the other; once it runs out, everything is zero and `ok` stays false.
class record_reader {
  public:
    explicit record_reader(byte_view bytes) : rest_(bytes) {}

    template <std::integral T>
    T take() {
        const byte_view bytes = take(sizeof(T));
        return bytes.size() == sizeof(T) ? load_big<T>(bytes.data()) : T{0};
    }
    byte_view take(std::size_t count) {
        if (!ok_ || count > rest_.size()) {
            ok_ = false;
            return {};
        }
        const byte_view taken = rest_.first(count);
        rest_ = rest_.subspan(count);
        return taken;
    }
    // Bytes behind a signed length.
    template <std::signed_integral Length>
    byte_view take_counted() {
        const auto count = take<Length>();
        if (count < 0)
            ok_ = false;
        return ok_ ? take(static_cast<std::size_t>(count)) : byte_view{};
    }
    stored_host take_host(bool is_ipv6) {
        stored_host host;
        host.is_ipv6 = is_ipv6;
        const byte_view address = take(is_ipv6 ? 16 : 4);
        if (!address.empty())
            std::memcpy(host.address.data(), address.data(), address.size());
        host.port = take<std::int32_t>();
        return host;
    }
    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }

  private:
    byte_view rest_;
    bool ok_ = true;
};

error bad_record(std::string message) {
    return {errc::malformed, "stored message: " + std::move(message)};
}

} // namespace

std::uint32_t stored_body_crc(byte_view body) {
    return crc32_ieee(body) & 0x7FFFFFFFU;
}

result<void> stored_message::check() const {
    if (topic.empty() || topic.size() > limits::max_topic_bytes)
        return error{errc::invalid_argument, "a topic has 1 to " + std::to_string(limits::max_topic_bytes) +
                                                 " bytes, not " + std::to_string(topic.size())};
    if (body.size() > limits::max_frame_bytes)
        return error{errc::too_large, "a body of " + std::to_string(body.size()) + " bytes fits no frame"};
    return check_properties_size(properties, properties_bytes() - properties.size());
}

void write_stored_message(std::byte* to, const stored_message& message) {
    const std::size_t properties_bytes = message.properties_bytes();
    HOLDFAST_CHECK(message.topic.size() <= limits::max_topic_bytes);
    HOLDFAST_CHECK(properties_bytes <= limits::max_properties_bytes);
    HOLDFAST_CHECK(message.body.size() <= limits::max_frame_bytes);
    record_cursor at{to};
    at.put(static_cast<std::uint32_t>(message.size()))
        .put(stored_message_magic)
        .put(stored_body_crc(message.body))
        .put(message.queue.value())
        .put(message.flag)
        .put(message.offset.value())
        .put(message.position.value())
        .put(message.sys_flag & ~ipv6_bits)
        .put(message.born.value())
        .put(message.born_host)
        .put(message.stored.value())
        .put(message.store_host)
        .put(message.reconsume_times)
        .put(message.prepared_transaction.value())
        .put(static_cast<std::uint32_t>(message.body.size()))
        .put(message.body)
        .put(static_cast<std::uint8_t>(message.topic.size()))
        .put(as_bytes(message.topic))
        .put(static_cast<std::uint16_t>(properties_bytes))
        .put(as_bytes(message.properties));
    if (message.needs_separator())
        at.put(static_cast<std::uint8_t>(property_separator));
    at.put(as_bytes(message.more_properties));
}

result<stored_message_view> decode_stored_message(byte_view bytes) {
    if (bytes.size() < stored_message_fixed_bytes)
        return bad_record(std::to_string(bytes.size()) + " bytes are too few");
    stored_message_view view;
    view.size = load_big<std::uint32_t>(bytes.data());
    if (view.size < stored_message_fixed_bytes || view.size > bytes.size())
        return bad_record("a size of " + std::to_string(view.size) + " with " + std::to_string(bytes.size()) +
                          " left");
    record_reader from{bytes.first(view.size).subspan(sizeof(std::uint32_t))};
    view.magic = from.take<std::uint32_t>();
    if (view.magic != stored_message_magic && view.magic != stored_message_magic_v2)
        return bad_record("unknown magic " + std::to_string(view.magic));
    view.body_crc = from.take<std::uint32_t>();
    view.queue_id = from.take<std::int32_t>();
    view.flag = from.take<std::int32_t>();
    view.offset = queue_offset{from.take<std::int64_t>()};
    view.physical_offset = from.take<std::int64_t>();
    view.sys_flag = from.take<std::int32_t>();
    view.born = timestamp_ms{from.take<std::int64_t>()};
    view.born_host = from.take_host((view.sys_flag & sys_flag::born_host_ipv6) != 0);
    view.stored = timestamp_ms{from.take<std::int64_t>()};
    view.store_host = from.take_host((view.sys_flag & sys_flag::store_host_ipv6) != 0);
    view.reconsume_times = from.take<std::int32_t>();
    view.prepared_transaction_offset = from.take<std::int64_t>();
    view.body = from.take_counted<std::int32_t>();
    if (view.magic == stored_message_magic)
        view.topic = as_text(from.take(from.take<std::uint8_t>()));
    else
        view.topic = as_text(from.take_counted<std::int16_t>());
    view.properties = as_text(from.take_counted<std::int16_t>());
    if (!from.ok())
        return bad_record("its lengths do not fit its size of " + std::to_string(view.size));
    if (from.left() != 0)
        return bad_record(std::to_string(from.left()) + " bytes are left over");
    return view;
}

std::optional<result<stored_message_view>> stored_message_reader::next() {
    if (rest_.empty())
        return std::nullopt;
    auto decoded = decode_stored_message(rest_);
    rest_ = decoded ? rest_.subspan(decoded->size) : byte_view{};
    return decoded;
}

} // namespace holdfast::protocol
