// Writes structured reports as OHIF saves them, with the libraries that OHIF saves them with.
//
// node write.mjs input.json folder
//   input.json: {"images": [...], "cases": [...]}, see tests/ohif/test_ohif.py

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import dcmjs from "dcmjs";
import { adaptersSR } from "@cornerstonejs/adapters";
import { cache, metaData } from "@cornerstonejs/core";

const { images, cases } = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const folder = process.argv[3];
const NO_IMAGE = "none";

const byId = new Map(images.map((image) => [image.imageId, image]));

// What OHIF's metadata providers answer.
function metadata(type, imageId) {
  const image = byId.get(imageId);
  const [rows, columns] = image.spacing;
  const modules = {
    imagePlaneModule: {
      frameOfReferenceUID: image.frameOfReferenceUID,
      rowCosines: image.orientation.slice(0, 3),
      columnCosines: image.orientation.slice(3),
      imagePositionPatient: image.position,
      rowPixelSpacing: rows,
      columnPixelSpacing: columns,
      rows: image.rows,
      columns: image.columns,
    },
    sopCommonModule: { sopClassUID: image.sopClassUID, sopInstanceUID: image.sopInstanceUID },
    generalSeriesModule: { studyInstanceUID: image.studyInstanceUID, seriesInstanceUID: image.seriesInstanceUID },
    instance: {
      StudyInstanceUID: image.studyInstanceUID,
      SeriesInstanceUID: image.seriesInstanceUID,
      SOPInstanceUID: image.sopInstanceUID,
      SOPClassUID: image.sopClassUID,
      PatientID: image.patientID,
      _meta: {},
      _vrMap: {},
    },
    frameNumber: 1,
  };
  return modules[type];
}

metaData.addProvider(metadata);
// The volume itself lives in a graphics card's memory; the report needs to know its images only.
cache.getVolume = () => ({ imageIds: images.map((image) => image.imageId) });

function sites(name) {
  return name ? [{ CodeValue: "CORNERSTONEFREETEXT", CodingSchemeDesignator: "CORNERSTONEJS", CodeMeaning: name }] : [];
}

function version3({ tool, imageId, points, stats, site }) {
  const key = imageId || NO_IMAGE;
  const image = byId.get(imageId) || images[0];
  const annotation = {
    metadata: {
      toolName: tool,
      referencedImageId: imageId || undefined,
      volumeId: "volume",
      FrameOfReferenceUID: image.frameOfReferenceUID,
    },
    data: {
      handles: { points },
      contour: { polyline: points, closed: true },
      cachedStats: stats ? { [imageId ? `imageId:${imageId}` : "volumeId:volume"]: stats } : {},
    },
    finding: undefined,
    findingSites: sites(site),
  };
  const state = { [key]: { [tool]: { data: [annotation] } } };
  return adaptersSR.Cornerstone3D.MeasurementReport.generateReport(state, metaData, {}).dataset;
}

function version2({ tool, imageId, points, stats, site }) {
  const [start, end, perpendicularStart, perpendicularEnd] = points.map(([x, y]) => ({ x, y }));
  const measurement = {
    handles: { start, end, perpendicularStart, perpendicularEnd },
    longestDiameter: String(stats.length),
    shortestDiameter: String(stats.width),
    length: stats.length,
    finding: undefined,
    findingSites: sites(site),
  };
  const state = { [imageId]: { [tool]: { data: [measurement] } } };
  return adaptersSR.Cornerstone.MeasurementReport.generateReport(state, metaData).dataset;
}

for (const each of cases) {
  const dataset = each.version === 2 ? version2(each) : version3(each);
  writeFileSync(join(folder, `${each.name}.dcm`), Buffer.from(dcmjs.data.datasetToDict(dataset).write()));
}
