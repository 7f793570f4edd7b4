"""What real PACS and viewers do that a reader of the standard would not expect, and the test that shows it.

Reports
    a number without value, an item without name: `test_a_missing_number_does_not_cost_the_measurement`,
        `test_an_item_without_name_does_not_cost_the_report`, `test_missing_numbers_do_not_cost_the_measurement` (OHIF)
    old codes, or a meaning alone: `test_axes_are_known_by_code_old_code_or_meaning`
    a site inside the group or as its modifier: `test_finding_and_site_are_read_in_either_relationship`
    units of "1" or "px" with values in mm: `test_only_plausible_units_are_believed`
    lengths of another image's spacing: `test_a_reported_length_that_disagrees_is_flagged_not_believed`
    coordinates from the pixel's corner, positions from its centre: `test_scoord_origin_is_the_pixel_corner`,
        `test_pixel_units_count_from_the_first_pixels_corner`
    coordinates in mm that name no image: `test_millimetres_find_slice_and_pixels`,
        `test_off_plane_by_more_than_half_the_spacing`
    evidence that lists one image of a volume: `test_evidence_chooses_among_series_that_share_a_frame_of_reference`
    row and column spacing swapped by a viewer: `test_swapped_spacings_are_corrected_only_where_the_lengths_prove_it`,
        `test_unequal_spacing_is_put_right` (OHIF)
    UTF-8 that is not declared: `test_utf8_without_character_set_is_read_as_utf8`
    a tool's name as tracking identifier, a new Tracking UID at every save: `test_a_tool_name_links_nothing_over_time`
    one mark in two reports: `test_a_mark_saved_twice_is_recognised`
    a report that names no patient: `test_a_report_without_patient_joins_the_study_that_its_accession_number_names`
    coordinates beside the number: `test_a_length_with_its_coordinates_at_group_level_is_a_line`
    objects that nobody reads: `test_what_no_reader_understands_is_said_to_be_unsupported`

Servers
    a search that does not decode percent signs:
        `test_a_search_for_a_value_that_needs_percent_signs_finds_nothing_at_the_server`
    lists cut without a word: `test_fewer_objects_than_the_study_has_are_a_truncated_answer`,
        `test_a_list_that_the_server_cut_is_a_truncated_answer`
    retrieve URLs without their port: `test_a_retrieve_url_without_its_port_is_not_followed`
    compressed objects that are not transcoded: `test_objects_come_in_the_syntax_in_which_they_are_stored`
    C-GET that asks for roles: `test_reports_presentation_states_and_enhanced_images_come_over`
    no status at all, which is no empty list: `test_a_failed_search_is_never_taken_for_an_empty_one`
    an anonymised copy whose report is empty:
        `test_an_anonymised_copy_whose_report_was_emptied_says_so_and_gives_no_lesion`

Slices
    instance numbers in any order: `test_order_follows_geometry_not_instance_numbers`
    gaps, and two slices at one place: `test_a_missing_slice_is_a_gap`,
        `test_two_slices_at_one_place_are_flagged_and_do_not_crash`
    unequal spacing, mirrored, prone and tilted: `test_a_mark_keeps_its_place`,
        `test_points_are_flipped_with_mirrored_and_prone_slices`,
        `test_a_mark_between_tilted_slices_goes_to_the_nearer_one`
    any slope, intercept and sign: `test_any_slope_intercept_and_sign`
    many frames in one object: `test_slices_without_geometry_and_many_frames_are_left_out_with_a_reason`
    pixels that end early: `test_a_truncated_frame_in_a_whole_file_is_never_filled_up`
    every compression: `test_every_transfer_syntax_gives_the_same_pixels`
    compression with loss: `test_image_facts`

Patients
    one PatientID from two issuers, or none: `test_studies_follow_time_and_patients_are_told_apart_by_issuer`,
        `test_patients_without_an_id_are_not_one_person`
    text burned into pixels: `test_images_that_may_show_text_are_refused`
"""
