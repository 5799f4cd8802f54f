#include "actors/peer_frame.hpp"

#include <caf/binary_deserializer.hpp>

#include <cstdint>

namespace holdfast::actors {

std::size_t body_bytes(const peer_frame& frame) {
    std::size_t bytes = 0;
    for (const auto& slice : frame.body)
        bytes += slice.size();
    return bytes;
}

bool within_limits(const peer_frame& frame) {
    return frame.head.size() <= peer_frame::most_head_bytes &&
           body_bytes(frame) <= peer_frame::most_body_bytes;
}

caf::error inspect(caf::serializer& sink, const peer_frame& frame) {
    // After an error here CAF sends the half message all the same, so senders look first (placement::send).
    if (!within_limits(frame))
        return caf::make_error(caf::sec::invalid_argument, "a peer_frame over its limits");
    auto head_size = static_cast<std::uint32_t>(frame.head.size());
    auto body_size = static_cast<std::uint32_t>(body_bytes(frame));
    if (auto failure = sink(head_size, body_size))
        return failure;
    // apply_raw wants non-const memory for the sake of deserializers; a serializer only reads it.
    if (auto failure = sink.apply_raw(head_size, const_cast<char*>(frame.head.data())))
        return failure;
    for (const auto& slice : frame.body)
        if (auto failure = sink.apply_raw(slice.size(), const_cast<std::byte*>(slice.data())))
            return failure;
    return caf::none;
}

caf::error inspect(caf::deserializer& source, peer_frame& frame) {
    std::uint32_t head_size = 0;
    std::uint32_t body_size = 0;
    if (auto failure = source(head_size, body_size))
        return failure;
    if (head_size > peer_frame::most_head_bytes || body_size > peer_frame::most_body_bytes)
        return caf::make_error(caf::sec::invalid_argument, "a peer_frame over its limits");
    // Nor more than has really arrived.
    if (const auto* arrived = dynamic_cast<caf::binary_deserializer*>(&source);
        arrived != nullptr && arrived->remaining() < std::size_t{head_size} + body_size)
        return caf::make_error(caf::sec::end_of_stream, "a peer_frame cut short");
    frame.head.resize(head_size);
    if (auto failure = source.apply_raw(head_size, frame.head.data()))
        return failure;
    frame.body.clear();
    if (body_size == 0)
        return caf::none;
    std::shared_ptr<std::byte[]> body{new std::byte[body_size]};
    if (auto failure = source.apply_raw(body_size, body.get()))
        return failure;
    const byte_view view{body.get(), body_size};
    frame.body.emplace_back(std::move(body), view);
    return caf::none;
}

} // namespace holdfast::actors
